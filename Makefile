# `make help` says what can be made.

PREFIX  ?= /usr/local
DESTDIR ?=
CARGO   ?= cargo
# rust-toolchain.toml names a compiler. Where rustup has not installed that, its default one is taken: nothing is downloaded
# unasked, and a machine without a network builds and tests with what it has.
PINNED := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
ifeq ($(RUSTUP_TOOLCHAIN)$(shell rustup toolchain list 2>/dev/null | grep '^$(PINNED)-'),)
INSTALLED := $(firstword $(shell rustup default 2>/dev/null))
ifneq ($(INSTALLED),)
export RUSTUP_TOOLCHAIN := $(INSTALLED)
$(warning Rust $(PINNED) is not installed, going on with $(INSTALLED))
endif
endif
# Which of cargo's profiles is built and installed. `dev` is what the tests have built already.
PROFILE ?= release
BUILT   := target/$(patsubst dev,debug,$(PROFILE))
# Two of the programs run where no library is. They are copied out of cargo's way, which puts the usual ones in their place.
STATIC  := $(BUILT)/static
# No path of the machine is in a release, which is the same wherever it is built.
REMAPPED := --remap-path-prefix=$(CURDIR)=/ie-container --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo
RELEASE := RUSTFLAGS='$(REMAPPED)' $(CARGO)
# With an example the libraries have the features that tests want, and nothing is compiled a second time after the tests.
BUILD := $(if $(filter dev,$(PROFILE)),$(CARGO) build --locked --example man,$(RELEASE) build --profile $(PROFILE) --locked)

# The end-to-end tests make users and mounts: without root, cargo starts the test programs through sudo.
ifneq ($(shell id -u),0)
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER  = sudo --preserve-env
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER = sudo --preserve-env
endif

PROGRAMS := ie-container ie-containerd ie-mountd
COPY_SOURCES := $(wildcard macros/Cargo.toml macros/src/*.rs src/copy/*.rs src/protocol/*.rs src/tarball/*.rs) src/bin/ie-copy.rs src/lib.rs Cargo.toml Cargo.lock

RUNC_SOURCES := $(wildcard macros/Cargo.toml macros/src/*.rs src/runtime/*.rs src/runtime/judge/* src/protocol/*.rs src/policy/*.rs src/policy/keys/*.rs) src/sandbox.rs src/sys.rs \
    src/bin/ie-runc.rs src/lib.rs Cargo.toml Cargo.lock

.PHONY: man limits all build check test test-newer test-first-steps test-deb test-boot deb soak fuzz mutants demo demo-down bench bench-scale install uninstall clean help

# What `make install` needs; it builds nothing itself, as root has no cargo.
all: build
	@mkdir -p target/completions
	for shell in bash fish zsh; do $(BUILT)/ie-container completion $$shell >target/completions/$$shell || exit 1; done

help:
	@echo 'make build      the programs in target/release, and those without a library in target/release/static'
	@echo 'make check      format, lints, documentation, dependencies'
	@echo 'make test       every test, with Docker Engines, users and a machine of its own (root, or sudo)'
	@echo 'make soak       the races, the exhaustion and the properties for long, and other Debians that boot: hours (root, or sudo)'
	@echo 'make fuzz       each fuzz target for FUZZ_SECONDS (60)'
	@echo 'make mutants    whether the unit tests mind changes to the code that decides; takes hours'
	@echo 'make demo       a private engine with two users on this machine, shown step by step (root, or sudo)'
	@echo 'make demo-down  takes the demo away'
	@echo 'make bench      speed and memory against the plain docker client (root, or sudo)'
	@echo 'make bench-scale  the same with 300 users and 2100 containers; USERS= and EACH= make fewer (root, or sudo)'
	@echo 'make man        the manual pages in man/, which are committed'
	@echo 'make limits     docs/limits.md, which lists the constants of the programs and is committed'
	@echo 'make            all that make install needs'
	@echo 'make deb        the packages in target/deb; PROFILE=dev: of the programs that the tests have built'
	@echo 'make test-deb   whether those packages are what they must be'
	@echo 'make test-boot  installs them on a Debian that boots, and uses it; SUITE=trixie|bookworm|sid (root, or sudo)'
	@echo 'make install    puts everything below $$DESTDIR$$PREFIX, default $(PREFIX)'
	@echo 'make uninstall  takes that away again, but for the policy'
	@echo 'make clean      removes target/'

build: $(STATIC)/ie-copy $(STATIC)/ie-runc
	$(BUILD) $(foreach program,$(PROGRAMS),--bin $(program))
	@# The steps at which the tests kill the gateway, and a patience of their choice, are in the tests' programs alone.
	[ $(PROFILE) = dev ] || ! grep -q IE_CONTAINERD_DIE_AT $(BUILT)/ie-containerd
	[ $(PROFILE) = dev ] || ! grep -q IE_CONTAINERD_GRACE $(BUILT)/ie-containerd
	[ $(PROFILE) = dev ] || ! grep -q IE_CONTAINER_PATIENCE $(BUILT)/ie-container

# Of `dev` too, and then with those steps: another set of programs without them would be compiled for a test alone.
deb:
	scripts/packages deb
	@# Not `dh_clean`, which looks through all of target/, too.
	rm -rf target/deb debian/.debhelper debian/tmp debian/ie-container debian/ie-containerd debian/files \
	    debian/*.substvars debian/*.debhelper debian/debhelper-build-stamp
	mkdir -p target/deb
	debian/rules binary PROFILE=$(PROFILE)
	@ls -l target/deb

# In a machine under emulation, which needs no more of the host than time.
SUITE ?= trixie
test-boot:
	$(MAKE) deb PROFILE=dev
	tests/boot/run $(SUITE)

# Of what the tests have built, so nothing is compiled for it.
test-deb:
	$(MAKE) deb PROFILE=dev
	PROFILE=dev tests/deb/check

BUILD_ONE = $(if $(filter debug,$*),$(CARGO) rustc,$(RELEASE) rustc --profile $*) --locked

# Static, as it runs inside images that have no library at all.
target/%/static/ie-copy: $(COPY_SOURCES)
	$(BUILD_ONE) --bin ie-copy -- -C target-feature=+crt-static
	install -D -m 0755 $(@D)/../ie-copy $@

# Static, too: it runs in the engine's place, whatever that has changed of its surroundings.
target/%/static/ie-runc: $(RUNC_SOURCES)
	$(BUILD_ONE) --bin ie-runc -- -C target-feature=+crt-static
	install -D -m 0755 $(@D)/../ie-runc $@

# The manual pages, out of the programs' own command lines and the keys of their files. `tests/man.rs` says when to.
man:
	$(CARGO) run --locked --example man -- man

# The page of all numbers that tune the programs, out of the sources. `tests/house.rs` says when to.
limits:
	IE_WRITE_DOCS=1 $(CARGO) test --locked --test house -- the_page_of_limits

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --lib --features fuzz --locked -- -D warnings
	@# Private items are documented too, so links to them lead somewhere.
	RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --no-deps --document-private-items --locked
	scripts/deny

test: target/debug/static/ie-copy
	scripts/packages test
	scripts/packages boot
	$(CARGO) test --locked --no-fail-fast
	$(MAKE) test-deb
	@# The machine takes one processor, and who tests an engine waits for much of the time.
	$(MAKE) --jobs=2 test-newer test-first-steps

# Engines differ: what users do once more with Debian 13's Docker, which reads CDI specifications and is told to keep its images
# in containerd's store; and with containers in the host's user namespace, where more attacks work on the bare engine. Without
# what is the gateway's own: its clock, the line for GPUs, its state directory.
test-newer:
	docker=$$(scripts/docker trixie) && IE_DOCKER=$$docker IE_USERNS=host $(CARGO) test --locked --test e2e -- \
	    --skip attacks::words --skip attacks::joined --skip attacks::callers --skip races --skip exhaustion --skip streams --skip doctor \
	    --skip expiry::what_has_ended --skip gpu::a_lease --skip line:: --skip state:: --skip channel::who_floods \
	    --skip output::who_floods_in --skip output::a_look_that

# The packages of target/deb on a Debian that boots: installed, set up and used.
test-first-steps:
	nice tests/boot/run trixie 20

# What is tried a few times in `make test` is tried thousands of times here; each test says how often.
soak: target/debug/static/ie-copy
	PROPTEST_CASES=10000 $(CARGO) test --locked --lib
	IE_SOAK=1 $(CARGO) test --locked --test e2e -- races
	IE_SOAK=1 $(CARGO) test --locked --test e2e -- exhaustion
	$(MAKE) test-boot SUITE=bookworm
	$(MAKE) test-boot SUITE=sid

fuzz:
	scripts/fuzz

mutants:
	scripts/mutants

demo: build
	demo/up

demo-down:
	demo/down

bench: build
	benches/run

bench-scale: build
	benches/scale

# Those that the client speaks beside English.
LANGUAGES := $(basename $(notdir $(wildcard po/*.po)))

UNITS := ie-containerd.service ie-containerd.socket ie-mountd.service ie-wall.service ie-wall.timer \
    ie-engine.service ie-engine-containerd.service ie-engine.slice

install:
	@test -x $(STATIC)/ie-copy && test -x $(STATIC)/ie-runc && test -e target/completions/zsh || { echo 'run make first' >&2; exit 1; }
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/bin $(BUILT)/ie-container
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/sbin $(BUILT)/ie-containerd $(BUILT)/ie-mountd
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/libexec/ie-container $(STATIC)/ie-copy packaging/ie-wall
	install -D -m 0755 $(STATIC)/ie-runc $(DESTDIR)$(PREFIX)/libexec/ie-container/engine/runc
	ln -sf /usr/bin/containerd-shim-runc-v2 $(DESTDIR)$(PREFIX)/libexec/ie-container/engine/containerd-shim-runc-v2
	for section in 1 5 8; do \
	    install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/man$$section man/*.$$section || exit 1; \
	done
	for language in $(LANGUAGES); do \
	    install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/man/$$language/man1 man/$$language/*.1 || exit 1; \
	done
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/sysusers.d packaging/sysusers.d/ie-container.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/tmpfiles.d packaging/tmpfiles.d/ie-container.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/sysctl.d packaging/sysctl.d/ie-container.conf
	for unit in $(UNITS); do \
	    install -d $(DESTDIR)$(PREFIX)/lib/systemd/system && \
	    sed 's|@PREFIX@|$(PREFIX)|g' packaging/systemd/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit 1; \
	done
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/ie-container packaging/systemd/gpus.conf
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/share/doc/ie-containerd/examples config/policy.toml
	sed 's|@PREFIX@|$(PREFIX)|g' packaging/engine/runtime.toml > $(DESTDIR)$(PREFIX)/share/doc/ie-containerd/examples/runtime.toml
	install -D -m 0644 target/completions/bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ie-container
	install -D -m 0644 target/completions/fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ie-container.fish
	install -D -m 0644 target/completions/zsh $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_ie-container
	test -e $(DESTDIR)/etc/ie-container/engine.json || \
	    install -D -m 0644 packaging/engine/daemon.json $(DESTDIR)/etc/ie-container/engine.json
	test -e $(DESTDIR)/etc/ie-container/containerd.toml || \
	    install -D -m 0644 packaging/engine/containerd.toml $(DESTDIR)/etc/ie-container/containerd.toml

# By the names that `install` gives them; containers, state, the policy and the engine's configuration stay.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/ie-container $(DESTDIR)$(PREFIX)/sbin/ie-containerd $(DESTDIR)$(PREFIX)/sbin/ie-mountd
	rm -f $(DESTDIR)$(PREFIX)/libexec/ie-container/ie-copy $(DESTDIR)$(PREFIX)/libexec/ie-container/ie-wall
	rm -f $(DESTDIR)$(PREFIX)/libexec/ie-container/engine/runc
	rm -f $(DESTDIR)$(PREFIX)/libexec/ie-container/engine/containerd-shim-runc-v2
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/ie-container.1 $(DESTDIR)$(PREFIX)/share/man/man1/ie-container-*.1
	rm -f $(foreach language,$(LANGUAGES),$(DESTDIR)$(PREFIX)/share/man/$(language)/man1/ie-container.1) \
	    $(foreach language,$(LANGUAGES),$(DESTDIR)$(PREFIX)/share/man/$(language)/man1/ie-container-*.1)
	rm -f $(DESTDIR)$(PREFIX)/share/man/man5/ie-container-policy.toml.5
	rm -f $(foreach program,ie-containerd ie-mountd ie-runc ie-copy,$(DESTDIR)$(PREFIX)/share/man/man8/$(program).8)
	rm -f $(DESTDIR)$(PREFIX)/lib/sysusers.d/ie-container.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/ie-container.conf
	rm -f $(DESTDIR)$(PREFIX)/lib/sysctl.d/ie-container.conf
	rm -f $(foreach unit,$(UNITS),$(DESTDIR)$(PREFIX)/lib/systemd/system/$(unit))
	rm -f $(DESTDIR)$(PREFIX)/share/ie-container/gpus.conf
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/share/doc/ie-containerd/examples/,policy.toml runtime.toml)
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ie-container
	rm -f $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ie-container.fish
	rm -f $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_ie-container
	-rmdir $(DESTDIR)$(PREFIX)/libexec/ie-container/engine $(DESTDIR)$(PREFIX)/libexec/ie-container $(DESTDIR)$(PREFIX)/share/ie-container

clean:
	$(CARGO) clean
