"""The executor: the only service that talks to engines. It runs what a RunPlan says, no more."""
