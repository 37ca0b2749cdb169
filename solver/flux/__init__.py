"""The Scharfetter-Gummel flux of one action axis: rates, sweeps, resolvent, limiter."""
