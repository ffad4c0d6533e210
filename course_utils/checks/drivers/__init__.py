"""Drivers, a module a lab: how to call a function whose behavior one plain call does not show.

Like ``observe.call`` they run the student's function and return facts; they know no answers.
Importing this package registers all of them.
"""

from course_utils.checks.drivers import lab1, lab2, lab3, lab4, lab5, lab6  # noqa: F401
