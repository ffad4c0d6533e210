"""`python -m autograde`: the instructor's commands."""

import sys

from autograde.cli import main

# jsonschema, which checks notebooks for nbformat, would import this to check addresses, which no
# schema of notebooks asks for: half of the time that nbgrader takes to import, in every process.
sys.modules.setdefault("rfc3987_syntax", None)

if __name__ == "__main__":
    sys.exit(main())
