"""`python -m services.executor`."""

from runtime.process import run
from services.executor.app import build

run("executor", build)
