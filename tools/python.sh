#!/bin/sh
# Print the first Python that is new enough for Parley (>= 3.11), or say in one line that there is none.
# Usage: sh tools/python.sh [PYTHON]     PYTHON, where given and not empty, is the only one tried.
for candidate in ${1:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        command -v "$candidate"
        exit 0
    fi
done
found=$("${1:-python3}" --version 2>&1) || found="no ${1:-python3}"
echo "parley: Python 3.11 or newer is needed, but this machine has $found. Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python3.12" >&2
exit 1
