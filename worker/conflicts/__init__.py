"""Documents that contradict each other, the tree, or the verdicts on their code."""
