"""Sweeps (`-m`): every job runs in a child process, writes its status, and can be resumed."""
