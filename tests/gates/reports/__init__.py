"""Reading what checks wrote."""
