#!/bin/bash
# Stands for the tests of a plugin whose library is not installed.
echo "skipped: oneDNN is not installed (apt-get install $1)"
