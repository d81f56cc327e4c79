"""The real engine on a virtual clock, against simulated servers, under faults drawn from a seed."""
