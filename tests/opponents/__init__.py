"""Other writers around a rollback, each beside a watch on a real control plane."""
