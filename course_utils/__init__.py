"""What the course's notebooks share with students: environments, pictures, checks. No answers."""

__version__ = "0.1.0"
