"""Tests of planning: refusals, frame counts, matching, binding, the released workflows."""
