# Two commands: `make show` sets up all that is needed and starts the live show; `make test` runs the whole test suite.
# A second run finds the stamps in .venv and starts in seconds. POSIX sh and GNU make 3.81 (a Mac's) are enough.

VENV  = .venv
BIN   = $(VENV)/bin
SHELL = /bin/sh

# Debian and Ubuntu. SOUND is apart: on a desktop with PipeWire it would remove packages, and then it is left out.
SHOW_PACKAGES  = libportaudio2 libgl1 libgl1-mesa-dri libglx-mesa0 libegl1 libegl-mesa0
TEST_PACKAGES  = xvfb xdotool x11-apps x11-utils x11-xserver-utils imagemagick ffmpeg jackd2 \
                 xserver-xorg-core xserver-xorg-video-dummy
SOUND_PACKAGES = pulseaudio pulseaudio-utils libasound2-plugins

.PHONY: show test clean
.DEFAULT_GOAL = show

show: $(VENV)/.show
	@if $(BIN)/python -W ignore -c 'import glfw, sys; sys.exit(not glfw.init())' 2>/dev/null; then \
	    exec $(BIN)/vj play; \
	else \
	    echo "There is no display here, so the first 30 s of the demo become a film: show.mp4."; \
	    exec $(BIN)/vj render --seconds 30 -o show.mp4; \
	fi

test: $(VENV)/.test
	@$(BIN)/ruff check vj tests
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

clean:
	rm -rf $(VENV)

$(VENV)/.show: pyproject.toml constraints.txt Makefile
	@$(call system_packages,$(SHOW_PACKAGES),stop)
	@$(create_venv)
	@$(call pip_install,.)
	@touch $@

$(VENV)/.test: $(VENV)/.show
	@$(call system_packages,$(TEST_PACKAGES),go-on)
	@$(call system_packages,$(SOUND_PACKAGES),go-on)
	@$(call pip_install,'.[dev]')
	@touch $@

# $(1) packages, $(2) "stop" where nothing works without them, "go-on" where only some tests would be skipped.
define system_packages
set -e; \
if [ "$$(uname)" = Darwin ]; then \
    if ! command -v brew >/dev/null 2>&1; then \
        echo "Homebrew is not here: if sound does not work, install it from https://brew.sh and run: brew install portaudio"; \
    elif ! brew list portaudio >/dev/null 2>&1; then brew install portaudio; fi; \
elif command -v apt-get >/dev/null 2>&1; then \
    missing=; \
    for package in $(1); do \
        [ "$$(dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || missing="$$missing $$package"; \
    done; \
    $(find_python); \
    [ -n "$$found" ] || missing="$$missing python3 python3-venv"; \
    if [ -n "$$missing" ]; then \
        root=; [ "$$(id -u)" = 0 ] || root=sudo; \
        install="env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends --no-remove -q"; \
        echo "Installing for the system:$$missing"; \
        { $$root apt-get update -q && $$root $$install $$missing; } >apt.log 2>&1 && rm -f apt.log || { \
            tail -n 3 apt.log; \
            echo "These packages could not be installed (see apt.log). By hand: sudo apt-get install$$missing"; \
            [ "$(2)" = go-on ] || exit 1; \
        }; \
    fi; \
else \
    echo "This system's packages are not known here: PortAudio and Mesa's OpenGL are needed" \
         "(Fedora: sudo dnf install portaudio mesa-libGL mesa-libEGL; Arch: sudo pacman -S portaudio mesa)."; \
fi
endef

# Python 3.11 or 3.12: python-rtmidi has no wheels for later ones. Set PYTHON=/path/to/python3.12 to choose.
define find_python
found=; \
for python in $(PYTHON) python3.12 python3.11 python3 /usr/bin/python3 /opt/homebrew/bin/python3.12; do \
    if $$python -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
        found=$$python; break; \
    fi; \
done
endef

define create_venv
set -e; \
if ! $(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null; then \
    $(find_python); \
    if [ -z "$$found" ]; then \
        echo "Python 3.11 or 3.12 was not found: install one (Ubuntu: sudo apt-get install python3.12 python3.12-venv;" \
             "Mac: brew install python@3.12), or say where it is: make show PYTHON=/path/to/python3.12"; \
        exit 1; \
    fi; \
    rm -rf $(VENV); $$found -m venv $(VENV); \
fi
endef

# constraints.txt pins a torch that has a CPU build: right where there is no NVIDIA GPU and no Mac.
define pip_install
set -e; \
constraint="-c constraints.txt"; \
if [ "$$(uname)" = Darwin ] || nvidia-smi -L 2>/dev/null | grep -q GPU; then constraint=; fi; \
echo "Setting up $(VENV) (the first time takes a few minutes)"; \
$(BIN)/python -m pip install --disable-pip-version-check $$constraint -e $(1)
endef
