"""The composer: plan and prepared media become an immutable record, bound graphs and a run plan.

Deterministic: the same job gives the same bytes. Must not resolve anything that a plan left open,
touch media, or speak to an engine.
"""
