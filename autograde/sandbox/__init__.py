"""The wall around a student's code: who builds it, what it keeps out, how to talk across it."""
