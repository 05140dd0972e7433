"""Decides everything about a job at submit: plan(request, assets, workflows, engines) → plan or
refusal, and binds pinned workflow versions.

Pure: reads the workflows folder and nothing else; no clock, no randomness, no network. Must not
know how media is prepared, how a prompt is run, or where anything is stored.
"""
