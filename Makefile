# Carrel: one non-recursive Makefile.
#
#   make            build the four programs into build/bin
#   make run        install what is missing, build, and run Carrel here
#   make check      install what the tests need, build, and run every test
#   make lint       format, include matrix, SQL only in db/, sizes, banned calls
#   make unit       the unit tests alone; SAN=1: under ASan and UBSan
#   make sim        the hub in a simulated world: SIM="--seed 7 --trace"
#   make fuzz       every fuzz target for FUZZ_SECONDS (600), or FUZZ_RUNS times
#   make bench      speed and memory beside other programs: ONLY=proxy-http
#   make conformance CHP=DIR  configurable-http-proxy's own tests, against ours
#   make differential  the same requests to a JupyterHub and to ours: SRC=DIR
#   make compat     JupyterHub's real clients from checkouts: SRC=DIR
#   make guards     take each guard of the security lists away: ONLY=next
#   make soak       churn of everything for SECONDS (600), and what it left behind
#   make docs       write etc/carrel.yaml and the generated docs anew
#   make install    programs, units and samples, below DESTDIR
#   make clean      delete what was built
#
# make help lists every target.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
SHELL := /bin/bash

CC      := gcc
SAN     ?=
B       := $(if $(SAN),build-san,build)
VERSION := 0.1.0

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef
HARD := -fno-common -fstack-protector-strong -fPIE
ifdef SAN
OPTIM := -O1 -g -fsanitize=address,undefined -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined
LDOPT := -fsanitize=address,undefined
else
OPTIM := -O2 -g -D_FORTIFY_SOURCE=2
endif
CPPFLAGS := -I. -I$(B)/gen -D_GNU_SOURCE -DCARREL_VERSION='"$(VERSION)"'
CFLAGS   := -std=c11 $(WARN) $(if $(CI),-Werror) $(HARD) $(OPTIM)
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDOPT)
LDLIBS   := -lmicrohttpd -lcurl -lsqlite3 -ljansson -lyaml -lpam -lcap -lldap -llber \
	-lcjose -lidn2 -lsodium -loath -lutf8proc -lcsv -lssl -lcrypto -lnghttp2 -lpthread

# ---- what is built -------------------------------------------------------
# Each room is one archive; a program is its main plus the archives it needs.
ROOMS := base db auth hub proxy spawner
MAINS := hub/main.c proxy/main.c spawner/main.c hub/cli/main.c
src = $(filter-out $(MAINS),$(wildcard $(1)/*.c))
SRC_base    := $(call src,base)
SRC_db      := $(call src,db)
SRC_auth    := $(call src,auth)
SRC_hub     := $(call src,hub) $(call src,hub/cli)
SRC_proxy   := $(call src,proxy)
SRC_spawner := $(call src,spawner)

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
LIBS := $(foreach r,$(ROOMS),$(B)/lib$(r).a)
# The generated sources of a room (embedded assets, the schema) join it here.
GEN_hub := $(B)/gen/assets_data.o
GEN_db  := $(B)/gen/schema_data.o

PROGRAMS := $(B)/bin/carrel-hub $(B)/bin/carrel-proxy $(B)/bin/carrel-spawner \
	$(B)/bin/carrel

all: $(PROGRAMS)

define room
$(B)/lib$(1).a: $$(call obj,$$(SRC_$(1))) $$(GEN_$(1))
	@rm -f $$@
	@ar rcs $$@ $$(filter %.o,$$^)
endef
$(foreach r,$(ROOMS),$(eval $(call room,$(r))))

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

link = @mkdir -p $(@D) && echo "  LD $@" && $(CC) $(LDFLAGS) -o $@ \
	$(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS) $(1)

$(B)/bin/carrel-hub: $(call obj,hub/main.c) $(LIBS)
	$(call link)
	@chmod 755 $@
$(B)/bin/carrel-proxy: $(call obj,proxy/main.c) $(B)/libproxy.a $(B)/libbase.a
	$(call link)
	@chmod 755 $@
$(B)/bin/carrel-spawner: $(call obj,spawner/main.c) $(B)/libspawner.a $(B)/libbase.a
	$(call link)
	@chmod 755 $@
$(B)/bin/carrel: $(call obj,hub/cli/main.c) $(LIBS)
	$(call link)
	@chmod 755 $@

# ---- generated sources ---------------------------------------------------
# Files become C byte arrays: name, length, bytes. No tool but the shell's od.
$(B)/gen/assets_data.c: hub/web/embed.sh $(shell find hub/web -type f 2>/dev/null)
	@mkdir -p $(@D)
	@echo "  GEN $@"
	@sh hub/web/embed.sh hub/web > $@
$(B)/gen/schema_data.c: db/embed.sh db/schema.sql $(wildcard db/migrate/*.sql)
	@mkdir -p $(@D)
	@echo "  GEN $@"
	@sh db/embed.sh > $@
$(B)/gen/%.o: $(B)/gen/%.c
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- unit tests ----------------------------------------------------------
# tests/unit/<path>/test_X.c becomes build/test/<path>/test_X: cmocka, linked
# against the rooms (the linker takes only what the test uses).
UNIT := $(patsubst tests/unit/%.c,$(B)/test/%,$(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c))
# a room's tests link only that room and the rooms below it
below_base    := base
below_db      := db base
below_auth    := auth db spawner base
below_proxy   := proxy base
below_spawner := spawner base
below_hub     := hub auth db proxy spawner base
define unit_rule
$(B)/test/$(1)/%: tests/unit/$(1)/%.c $$(foreach r,$$(below_$(1)),$(B)/lib$$(r).a)
	@mkdir -p $$(@D)
	@echo "  LD $$@"
	@$$(CC) $$(CPPFLAGS) -Itests/unit $$(filter-out -Wmissing-prototypes,$$(CFLAGS)) \
	  -MMD -MP -MF $$@.d $$(LDFLAGS) -o $$@ $$< \
	  -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LDLIBS) -lcmocka
endef
$(foreach r,$(ROOMS),$(eval $(call unit_rule,$(r))))

unit-build: $(UNIT)
unit: $(UNIT)
	@tests/run.py --jobs $(JOBS) --only '$(ONLY)' $(UNIT)

# ---- run and install -----------------------------------------------------
# What is missing is installed first; etc/deps.sh says what and why.
deps:
	@sh etc/deps.sh run
deps-check:
	@sh etc/deps.sh check

# As root: for all accounts; else for the one who runs it.
run: deps
	@$(MAKE) --no-print-directory -j$(shell nproc) all
	@exec $(B)/bin/carrel up --config etc/carrel.yaml \
	  --spawner-config etc/spawner.yaml --pam-dir etc/pam.d $(UP)

# make install DESTDIR=... : programs, units, samples; nothing is started.
PREFIX ?= /usr
install: all
	install -d $(DESTDIR)$(PREFIX)/libexec/carrel $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/libexec/carrel/
	ln -sf ../libexec/carrel/carrel $(DESTDIR)$(PREFIX)/bin/carrel
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions
	$(B)/bin/carrel completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/carrel
	$(B)/bin/carrel completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_carrel
	install -d -m 755 $(DESTDIR)/etc/carrel $(DESTDIR)/etc/pam.d
	test -e $(DESTDIR)/etc/carrel/carrel.yaml || \
	  install -m 640 etc/carrel.yaml $(DESTDIR)/etc/carrel/
	test -e $(DESTDIR)/etc/carrel/spawner.yaml || \
	  install -m 600 etc/spawner.yaml $(DESTDIR)/etc/carrel/
	test -e $(DESTDIR)/etc/pam.d/carrel || \
	  install -m 644 etc/pam.d/carrel $(DESTDIR)/etc/pam.d/
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system etc/systemd/*.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/sysusers.d etc/sysusers.d/carrel.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/tmpfiles.d etc/tmpfiles.d/carrel.conf

# ---- check, lint, fuzz ---------------------------------------------------
# make check [ONLY=text] [REQUIRE=root,pam,browser,single-user]: a skip in the
# groups of REQUIRE is a failure. A test that is no cmocka program prints
# "ok NAME" lines (tests/run.py) and stands, executable, in one of SUITES; one
# that is built, in $(B), joins SUITES by itself.
SUITES := $(wildcard tests/run_test.py tests/lint/selftest.py tests/table tests/fuzz/differential.py \
	tests/contract tests/conformance tests/differential tests/compat tests/scenario tests/root tests/browser)
JOBS ?= $(shell nproc)
check: deps-check
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory idp || \
	  echo "npm could not install the tests' OpenID provider"; \
	  $(MAKE) --no-print-directory chp || \
	  echo "npm could not install configurable-http-proxy"; fi
	@$(MAKE) --no-print-directory -j$(JOBS) all unit-build fuzz-build \
	  $(filter $(B)/%,$(SUITES))
	@CARREL_BUILD=$(abspath $(B)) tests/run.py --jobs $(JOBS) \
	  --require '$(REQUIRE)' --only '$(ONLY)' $(UNIT) $(FUZZERS) $(SUITES)

# ---- simulation ----------------------------------------------------------
# The real hub around simulated spawner, proxy, network, clock and randomness.
# make sim SIM="--seed 7 --trace" tells one story; the fakes come before the
# archives and win.
SIM :=
SIM_OBJ := $(call obj,$(wildcard tests/sim/*.c))
$(B)/sim/sim: $(SIM_OBJ) $(LIBS)
	$(call link)
sim: $(B)/sim/sim
	@$< $(SIM)
SUITES += $(B)/sim/sim

# ---- an OpenID provider for tests/scenario/oidc.py -------------------------
# From npm, where there is one; without it that story is skipped and says so.
IDP := $(B)/idp/node_modules/.package-lock.json
$(IDP): $(addprefix tests/idp/,package.json package-lock.json .npmrc)
	@mkdir -p $(B)/idp
	@cp $^ $(B)/idp/
	@echo "  NPM $(B)/idp"
	@cd $(B)/idp && npm ci --silent --no-progress --ignore-scripts
idp: $(IDP)
.PHONY: idp

# ---- configurable-http-proxy ------------------------------------------------
# From npm: what the tests compare carrel-proxy with, and what our hub drives in
# its place. It wants Node 20; without it those stories say so.
CHP_NPM := $(B)/chp/node_modules/.package-lock.json
$(CHP_NPM): $(addprefix tests/chp/,package.json package-lock.json .npmrc)
	@mkdir -p $(B)/chp
	@cp $^ $(B)/chp/
	@echo "  NPM $(B)/chp"
	@cd $(B)/chp && npm ci --silent --no-progress --ignore-scripts
chp: $(CHP_NPM)
# Its own suite: CHP=DIR, a checkout with its packages (npm install there).
CHP :=
conformance: all
	@CHP='$(CHP)' CARREL_BIN=$(abspath $(B))/bin tests/run.py tests/conformance
.PHONY: chp conformance
# Beside Debian's JupyterHub, or that of a checkout: SRC=DIR. make check has the former.
SRC :=
differential: all
	@SRC='$(SRC)' CARREL_BIN=$(abspath $(B))/bin tests/run.py tests/differential
# The real clients from checkouts; make check has what they ask, recorded.
compat: all
	@SRC='$(SRC)' CARREL_BIN=$(abspath $(B))/bin tests/run.py tests/compat
.PHONY: differential compat
# Without each guard in turn its test has to fail (tests/guards); 20 minutes.
guards:
	@$(MAKE) --no-print-directory -j$(JOBS) all unit-build
	@tests/guards/guards.py --only '$(ONLY)'
.PHONY: guards
# Ten minutes of churn, then a hundred times kill -9 under load, then 5,000 servers;
# make check has twenty seconds, six times and a thousand.
soak: all
	@CARREL_BIN=$(abspath $(B))/bin SOAK_SECONDS=$(or $(SECONDS),600) tests/scenario/soak.py
	@CARREL_BIN=$(abspath $(B))/bin DURABLE_ROUNDS=$(or $(ROUNDS),100) tests/scenario/durable.py
	@CARREL_BIN=$(abspath $(B))/bin SERVERS=5000 tests/scenario/many_servers.py
.PHONY: soak

# ---- benchmarks ----------------------------------------------------------
# make bench [ONLY=proxy-http,hub-api]: side by side with nginx, haproxy, h2o,
# configurable-http-proxy and JupyterHub; docs/performance.md has the tables.
BENCH_TOOLS := $(B)/bench/load $(B)/bench/backend
$(B)/bench/load: $(call obj,tests/bench/load.c tests/bench/link.c) $(B)/libbase.a
	$(call link)
$(B)/bench/backend: $(call obj,tests/bench/backend.c) $(B)/libbase.a
	$(call link)
bench-deps:
	@sh etc/deps.sh bench
bench: bench-deps
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory chp || \
	  echo "npm could not install configurable-http-proxy"; fi
	@$(MAKE) --no-print-directory -j$(JOBS) all $(BENCH_TOOLS)
	@CARREL_BUILD=$(abspath $(B)) tests/bench/bench.py --only '$(ONLY)'
.PHONY: bench bench-deps

# ---- generated documents -------------------------------------------------
# From hub/config.def, hub/routes.def, hub/cli/verbs.def and proxy/config.def;
# tests/table/generated.sh says when they are out of date.
docs: $(B)/bin/carrel-hub $(B)/bin/carrel $(B)/bin/carrel-proxy
	$< --print-sample-config > etc/carrel.yaml
	$< --print-config-manual > docs/config.md
	$< --print-rest > docs/rest.md
	$< --print-openapi > docs/openapi.json
	$< --print-reference > docs/reference-options.md
	$(B)/bin/carrel-proxy --print-config-manual > docs/proxy-flags.md
	$(B)/bin/carrel --print-manual > docs/carrel.md
.PHONY: sim docs

lint:
	@tests/lint/selftest.py --quiet
	@tests/lint/lint.py

# tests/fuzz/fuzz_X.c with clang, libFuzzer, ASan and UBSan, linked against the
# rooms that it includes. Seeds: tests/fuzz/seeds/X.
FUZZ_B := $(B)-fuzz
FUZZ_SECONDS ?= 600
FUZZERS := $(patsubst tests/fuzz/%.c,$(FUZZ_B)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_CC := clang -std=c11 -O1 -g -fno-omit-frame-pointer \
	-fno-sanitize-recover=undefined $(CPPFLAGS)
FUZZ_SAN := address,undefined
$(FUZZ_B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC $< (fuzz)"
	@$(FUZZ_CC) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -MMD -MP -c -o $@ $<
$(FUZZ_B)/gen/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	@$(FUZZ_CC) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -c -o $@ $<
define fuzz_room
$(FUZZ_B)/lib$(1).a: $$(patsubst %.c,$(FUZZ_B)/obj/%.o,$$(SRC_$(1))) \
		$$(patsubst $(B)/%,$(FUZZ_B)/%,$$(GEN_$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call fuzz_room,$(r))))
rooms_of = $(sort $(foreach r,$(ROOMS),\
	$(if $(shell grep -m1 '^#include "$(r)/' $(1)),$(below_$(r)))))
define fuzz_rule
$(FUZZ_B)/$(1): tests/fuzz/$(1).c $(patsubst %,$(FUZZ_B)/lib%.a,$(call rooms_of,tests/fuzz/$(1).c))
	@mkdir -p $$(@D)
	@echo "  LD $$@"
	@$$(FUZZ_CC) -fsanitize=fuzzer,$$(FUZZ_SAN) -MMD -MP -MF $$@.d -o $$@ $$< \
	  -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LDLIBS)
endef
$(foreach f,$(notdir $(FUZZERS)),$(eval $(call fuzz_rule,$(f))))

fuzz-build: $(FUZZERS)
# 10,000 runs each, the same every time.
fuzz-brief: fuzz-build
	@tests/run.py --jobs $(JOBS) $(FUZZERS)
# FUZZ_SECONDS each, or FUZZ_RUNS times each; ONLY=fuzz_head: one target. What was
# learned stays in build-fuzz/corpus.
FUZZ_RUNS :=
fuzz: fuzz-build
	@tests/run.py --jobs $(JOBS) --only '$(ONLY)' $(FUZZERS) \
	  $(if $(FUZZ_RUNS),--fuzz-long $(FUZZ_RUNS),--fuzz-seconds $(FUZZ_SECONDS))

# What is forwarded, read by Node and tornado: RUNS cases from SEED on.
RUNS ?= 20000
SEED ?= 1
fuzz-differential: all
	@CARREL_BIN=$(abspath $(B))/bin RUNS=$(RUNS) SEED=$(SEED) tests/fuzz/differential.py
.PHONY: fuzz-differential

.PHONY: check lint fuzz fuzz-build fuzz-brief
-include $(shell find $(FUZZ_B) -name '*.d' 2>/dev/null)

clean:
	rm -rf build build-san build-fuzz

help:
	@sed -n 's/^#   //p' Makefile | head -25

.PHONY: all unit unit-build clean run deps deps-check install help
.PRECIOUS: $(B)/gen/%.c
-include $(shell find $(B) -name '*.d' 2>/dev/null)
