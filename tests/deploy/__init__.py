"""What deploy/ promises: manifests that a cluster accepts, and an origin, dashboards and alerts
that real servers run."""
