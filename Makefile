# weir
#
#   make run      installs what is missing, builds, and serves the tutorial app on port 8080
#   make test     installs what the tests need, builds, and runs every test
#   make          builds build/bin/* and build/lib/libweir.a
#   make check    what every commit must pass, in two minutes: lint, gcc, units, simulation
#   make install  PREFIX=/usr/local DESTDIR=
#
# Others: unit sim catalogue clients snippets cross fuzz soak bench bench-instructions bench-peers
# bench-report bench-growth test-mutants lint format clean.
# Variables: CC CXX OPT CFLAGS CXXFLAGS LDFLAGS, SANITIZE=address,undefined or =thread, BUILD, the
# directory: each compiler and sanitizer has its own. A changed flag rebuilds.

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),$(subst clang,clang++,$(CC)),g++)
endif
OPT ?= -O2
OPT_DEBUG ?= -O1
OPT_TEST ?= -O0
SANITIZE ?=
PREFIX ?= /usr/local

comma := ,
space := $(subst ,, )
BUILD ?= build$(if $(findstring clang,$(CC)),-clang)$(if \
  $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))

# As many jobs as there are processors, unless the command line says otherwise.
ifeq ($(MAKELEVEL)$(filter clean,$(MAKECMDGOALS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

# ---- libraries of the system

# llhttp: the system's library, or Debian 12's C sources, from the package node-llhttp or from what
# tools/deps unpacked of it (the package itself depends on Node.js, which no build needs).
HAVE_LLHTTP := $(shell pkg-config --exists libllhttp 2>/dev/null && echo yes)
ifeq ($(HAVE_LLHTTP),yes)
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS := $(shell pkg-config --libs libllhttp)
else
LLHTTP_SHARE := $(patsubst %/llhttp/llhttp.c,%,$(firstword \
  $(wildcard /usr/share/llhttp/llhttp.c .deps/usr/share/llhttp/llhttp.c)))
LLHTTP_CFLAGS := -isystem $(LLHTTP_SHARE)/include/llhttp
LLHTTP_SRC := $(wildcard $(LLHTTP_SHARE)/llhttp/*.c)
LLHTTP_OBJ := $(LLHTTP_SRC:$(LLHTTP_SHARE)/llhttp/%.c=$(BUILD)/obj/llhttp/%.o)
endif

# ---- flags

WARN := -Wall -Wextra -Werror
COMMON := -g $(WARN) -pthread -fno-omit-frame-pointer -Icore/include \
  $(LLHTTP_CFLAGS) \
  $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -DWEIR_DEBUG)
C_FLAGS := -std=gnu11 $(COMMON) -fvisibility=hidden
CXX_FLAGS := -std=c++20 $(COMMON) -Icpp/include
LIBS := -lssl -lcrypto -lz $(LLHTTP_LIBS) -pthread
DEPS = -MMD -MP

# ---- the library, twice: build/lib for the programs, and with debug assertions for the tests

CORE_SRC := $(filter-out core/examples/%,$(wildcard core/*/*.c))
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/obj/%.o)
DEBUG_OBJ := $(CORE_SRC:%.c=$(BUILD)/debug/%.o)
LIB := $(BUILD)/lib/libweir.a
DEBUG_LIB := $(BUILD)/debug/libweir.a

# ---- programs: tools/NAME/*, cpp/examples/NAME.cpp, and core/examples/NAME.c as NAME-c

TOOLS := $(sort $(patsubst tools/%/,%,$(dir $(wildcard tools/*/*.c tools/*/*.cpp))))
CXX_EXAMPLES := $(patsubst cpp/examples/%.cpp,%,$(wildcard cpp/examples/*.cpp))
C_EXAMPLES := $(filter-out page,$(patsubst core/examples/%.c,%,$(wildcard core/examples/*.c)))
PROGRAMS := $(addprefix $(BUILD)/bin/,$(TOOLS) $(CXX_EXAMPLES) $(C_EXAMPLES:%=%-c))
objects = $(addsuffix .o,$(basename $(1:%=$(BUILD)/obj/%)))
tool_objects = $(call objects,$(wildcard tools/$1/*.c tools/$1/*.cpp))

.PHONY: all lib programs
all: lib programs
lib: $(LIB)
programs: $(PROGRAMS)

$(LIB): $(CORE_OBJ) $(LLHTTP_OBJ)
$(DEBUG_LIB): $(DEBUG_OBJ) $(LLHTTP_OBJ)
%.a: $(BUILD)/sources.stamp
	@mkdir -p $(@D); echo 'ar $@'; rm -f $@; ar rcs $@ $(filter %.o,$^)

link = @mkdir -p $(@D) && echo '$(CXX) -o $@' && \
  $(CXX) $(CXX_FLAGS) $(OPT) $(CXXFLAGS) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)
define tool
$(BUILD)/bin/$1: $(call tool_objects,$1) $(LIB)
	$$(link) $(LIBS)
endef
$(foreach t,$(TOOLS),$(eval $(call tool,$t)))
$(CXX_EXAMPLES:%=$(BUILD)/bin/%): $(BUILD)/bin/%: $(BUILD)/obj/cpp/examples/%.o $(LIB)
	$(link) $(LIBS)
$(C_EXAMPLES:%=$(BUILD)/bin/%-c): $(BUILD)/bin/%-c: $(BUILD)/obj/core/examples/%.o $(LIB)
	$(link) $(LIBS)

# The page that the chat examples serve, embedded.
$(BUILD)/bin/chat $(BUILD)/bin/chat-c: $(BUILD)/obj/core/examples/page.o
$(BUILD)/obj/core/examples/page.o: core/examples/page.html

# ---- what the tests share: all in their directories that is no test itself, and the bench tool

SUPPORT_SRC := $(filter-out %_test.cpp %_main.cpp,$(wildcard \
  $(foreach d,support unit sim catalogue,tests/$d/*.c tests/$d/*.cpp)))
SUPPORT_SRC += $(filter-out %/main.c,$(wildcard tools/weir-bench/*.c))
SUPPORT_LIB := $(BUILD)/debug/tests/libsupport.a
SUPPORT_OBJ := $(addsuffix .o,$(basename $(SUPPORT_SRC:%=$(BUILD)/debug/%)))

# ---- objects: obj/ optimised, debug/ with assertions and what the tests are made of

CORE_CC = @mkdir -p $(@D) && echo '$(CC) $<' && $(CC) $(C_FLAGS) $(CFLAGS) $(DEPS) -c $< -o $@
CORE_CXX = @mkdir -p $(@D) && echo '$(CXX) $<' && \
  $(CXX) $(CXX_FLAGS) $(CXXFLAGS) $(DEPS) -c $< -o $@
STAMPS := $(BUILD)/flags.stamp | need-build

$(BUILD)/obj/%.o: %.c $(STAMPS)
	$(CORE_CC) $(OPT) -Icore
$(BUILD)/obj/%.o: %.cpp $(STAMPS)
	$(CORE_CXX) $(OPT) -Icore
$(BUILD)/debug/%.o: %.c $(STAMPS)
	$(CORE_CC) $(OPT_DEBUG) -DWEIR_DEBUG -Icore -Itests -Itools
$(BUILD)/debug/%.o: %.cpp $(STAMPS)
	$(CORE_CXX) $(OPT_TEST) -DWEIR_DEBUG -Icore -Itests -Itools
# GoogleTest is slow to optimise; what computes for long is worth it.
$(SUPPORT_OBJ) $(BUILD)/debug/tests/unit/mask_test.o: OPT_TEST := $(OPT_DEBUG)
$(BUILD)/obj/llhttp/%.o: $(LLHTTP_SHARE)/llhttp/%.c $(STAMPS)
	@mkdir -p $(@D) && echo '$(CC) $<' && $(CC) -O2 -g -fvisibility=hidden -DLLHTTP_STRICT_MODE=1 \
	  $(LLHTTP_CFLAGS) -c $< -o $@

# A stamp changes when its text does.
$(BUILD)/flags.stamp: TEXT = $(CC) $(C_FLAGS) $(CFLAGS) $(CXX) $(CXX_FLAGS) $(CXXFLAGS) \
  $(OPT) $(OPT_DEBUG) $(OPT_TEST) $(LDFLAGS)
$(BUILD)/sources.stamp: TEXT = $(CORE_SRC) $(SUPPORT_SRC) $(LLHTTP_OBJ)
$(BUILD)/flags.stamp $(BUILD)/sources.stamp: force
	@mkdir -p $(@D); echo '$(TEXT)' | cmp -s - $@ || echo '$(TEXT)' >$@

# Says what is missing and how to install it, and fails.
.PHONY: force need-build need-unit need-check need-test need-peers need-dev
force:
need-build need-unit need-check need-test need-peers need-dev:
	@tools/deps --check $(@:need-%=%)

# ---- tests: each tests/SUITE/*_test.cpp is a program, what else stands there is shared by all

test_binaries = $(patsubst tests/%.cpp,$(BUILD)/tests/%,$(wildcard tests/$1/*_test.cpp))
TEST_BIN := $(foreach s,unit sim catalogue,$(call test_binaries,$s))
RUN_TESTS = @WEIR_BUILD=$(abspath $(BUILD)) \
  tools/run-tests --results $(BUILD)/results/$@ $(RUN_FLAGS)

$(SUPPORT_LIB): $(SUPPORT_OBJ)
$(TEST_BIN): $(BUILD)/tests/%: $(BUILD)/debug/tests/%.o $(SUPPORT_LIB) $(DEBUG_LIB)
	$(link) -lgtest_main -lgtest $(LIBS)
TEST_OBJ := $(TEST_BIN:$(BUILD)/tests/%=$(BUILD)/debug/tests/%.o)
$(TEST_OBJ): | need-unit

# ---- fuzzing: by clang's libFuzzer for a while; and the corpora once, as a part of `make unit`

FUZZ_SECONDS ?= 20
FUZZ := $(patsubst tests/fuzz/%_fuzz.cpp,%,$(wildcard tests/fuzz/*_fuzz.cpp))
REPLAY_BIN := $(if $(wildcard tests/fuzz/replay_main.cpp),$(FUZZ:%=$(BUILD)/tests/fuzz/%_replay))
REPLAY = $(foreach f,$(if $(REPLAY_BIN),$(FUZZ)), \
  --command '$(BUILD)/tests/fuzz/$f_replay tests/fuzz/corpus/$f')
FUZZ_BIN := $(FUZZ:%=$(BUILD)/fuzz/%)
$(REPLAY_BIN): $(BUILD)/tests/fuzz/%_replay: $(BUILD)/debug/tests/fuzz/%_fuzz.o \
  $(BUILD)/debug/tests/fuzz/replay_main.o $(SUPPORT_LIB) $(DEBUG_LIB)
	$(link) $(LIBS)
$(FUZZ_BIN): $(BUILD)/fuzz/%: $(BUILD)/debug/tests/fuzz/%_fuzz.o $(SUPPORT_LIB) $(DEBUG_LIB)
	$(link) -fsanitize=fuzzer $(LIBS)

.PHONY: fuzz fuzz-run
fuzz: need-dev
	$(MAKE) CC=clang BUILD=build-fuzz SANITIZE=address,undefined,fuzzer-no-link fuzz-run
fuzz-run: $(FUZZ_BIN)
	@mkdir -p $(FUZZ:%=$(BUILD)/corpus/%)
	$(RUN_TESTS) --timeout 3600 $(foreach f,$(FUZZ),--command '$(BUILD)/fuzz/$f \
	  -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -error_exitcode=1 \
	  -print_final_stats=1 -artifact_prefix=$(BUILD)/fuzz/$f- $(BUILD)/corpus/$f \
	  $(wildcard tests/fuzz/corpus/$f)')

# ---- the soak: compressed TLS clients come and go, and what the server held must return

SOAK_SECONDS ?= 600
SOAK_OBJ := $(patsubst %.cpp,$(BUILD)/debug/%.o,$(wildcard tests/soak/*.cpp))
$(BUILD)/tests/soak: $(SOAK_OBJ) $(SUPPORT_LIB) $(DEBUG_LIB)
	$(link) $(LIBS)
.PHONY: soak
soak: $(BUILD)/tests/soak
	$< $(SOAK_SECONDS)

# ---- suites

.PHONY: tests unit sim catalogue threads clients snippets cross
tests: $(TEST_BIN) $(REPLAY_BIN)
unit: $(call test_binaries,unit) $(REPLAY_BIN)
	$(RUN_TESTS) $(call test_binaries,unit) $(REPLAY)
sim: $(call test_binaries,sim)
	$(RUN_TESTS) $^
# The attack catalogue: over TCP, over TLS 1.3, and some of it over TLS 1.2 too. The tests of TLS
# itself are over 1.3 unless told otherwise.
CATALOGUE_BIN := $(call test_binaries,catalogue)
over_tls = $(patsubst %,'WEIR_CATALOGUE_TLS=$1 $(BUILD)/tests/catalogue/%',$2)
CATALOGUE_TLS := $(call over_tls,1.3,$(filter-out tls%,$(notdir $(CATALOGUE_BIN)))) \
  $(call over_tls,1.2,framing_test life_test tls_test tls_life_test)
catalogue: $(CATALOGUE_BIN) programs
	$(RUN_TESTS) $(CATALOGUE_BIN) $(CATALOGUE_TLS)
snippets:
	@$(MAKE) --no-print-directory install PREFIX=$(abspath $(BUILD))/installed DESTDIR=
	$(RUN_TESTS) $(addprefix --command ,$(wildcard tests/snippets/run))

# For the thread sanitizer: every test that has to do with threads.
THREAD_TESTS := $(patsubst tests/%.cpp,$(BUILD)/tests/%,$(shell \
  grep -liE 'thread|harness' $(TEST_BIN:$(BUILD)/%=%.cpp) /dev/null))
threads: $(THREAD_TESTS) programs
	$(RUN_TESTS) $(THREAD_TESTS) $(call over_tls,1.3,fanout_test reentry_test)

# Real clients; what npm installs is pinned by the lock file.
NPM := $(patsubst %/package.json,%/node_modules/.stamp,$(wildcard tests/clients/package.json))
clients: programs $(NPM)
	$(RUN_TESTS) --timeout 600 $(addprefix --command ,$(wildcard tests/clients/run))
$(NPM): tests/clients/package-lock.json tests/clients/package.json | need-test
	cd tests/clients && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund
	@touch $@

# The unmasking kernels of another architecture, under an emulator.
CROSS := $(if $(wildcard tests/unit/mask_cross_main.cpp),$(BUILD)/cross/mask_cross)
CROSS_SRC := $(wildcard core/wire/mask*.c core/wire/utf8*.c)
CROSS_OBJ := $(CROSS_SRC:%.c=$(BUILD)/cross/%.o)
$(BUILD)/cross/%.o: %.c $(BUILD)/flags.stamp | need-test
	@mkdir -p $(@D) && echo 'aarch64-linux-gnu-gcc $<' && \
	  aarch64-linux-gnu-gcc -std=gnu11 -O2 $(WARN) $(DEPS) -Icore/include -Icore -c $< -o $@
$(CROSS): tests/unit/mask_cross_main.cpp $(CROSS_OBJ)
	@echo 'aarch64-linux-gnu-g++ -o $@' && \
	  aarch64-linux-gnu-g++ -std=c++20 -O2 $(WARN) -Icore/include -Icore -static -o $@ $^
cross: $(CROSS)
	$(RUN_TESTS) $(CROSS:%=--command 'qemu-aarch64 %')

# ---- benchmarks

BENCH_BIN := $(patsubst bench/%.cpp,$(BUILD)/bench/%,$(wildcard bench/*_bench.cpp))
$(BENCH_BIN): $(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(LIB) | need-dev
	$(link) -lbenchmark_main -lbenchmark $(LIBS)
.PHONY: bench benches
benches: $(BENCH_BIN)
bench: benches
	@set -e; for b in $(BENCH_BIN); do $$b --benchmark_out=$$b.json $(BENCH_FLAGS); done

# Instructions per message by callgrind; INSTRUCTIONS passes points and --functions N.
.PHONY: bench-instructions
bench-instructions: $(BUILD)/bin/weir-serve | need-dev
	@bench/instructions --server $< --out $(BUILD)/bench $(INSTRUCTIONS)

# ---- servers that others wrote, measured beside weir (bench/peers/README.md)

PEER_BIN := $(addprefix $(BUILD)/peers/,raw lws beast)
PEER_OBJ := $(addprefix $(BUILD)/obj/bench/peers/servers/,raw.o raw_deflate.o raw_wire.o lws.o \
  beast.o)
PEER_NPM := bench/peers/node_modules/.stamp
$(PEER_OBJ): OPT := -O3
$(PEER_OBJ): | need-peers
$(BUILD)/peers/raw: $(BUILD)/obj/bench/peers/servers/raw_wire.o \
  $(BUILD)/obj/bench/peers/servers/raw_deflate.o
$(PEER_BIN): $(BUILD)/peers/%: $(BUILD)/obj/bench/peers/servers/%.o
	$(link) -lssl -lcrypto -lz -lwebsockets
$(PEER_NPM): bench/peers/package-lock.json bench/peers/package.json | need-peers
	cd bench/peers && npm ci --no-audit --no-fund
	@touch $@

.PHONY: peers bench-peers
peers: $(PEER_BIN) $(PEER_NPM)
bench-peers:
	@tools/deps peers
	@$(MAKE) --no-print-directory programs peers
	@WEIR_BUILD=$(abspath $(BUILD)) bench/peers/run $(if $(POINTS),--points '$(POINTS)') \
	  $(if $(SERVERS),--servers '$(SERVERS)') $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(if $(SECONDS),--seconds $(SECONDS)) $(if $(AGAIN),--again)

# What the benches of whole servers left in $(BUILD)/bench, drawn.
.PHONY: bench-report
bench-report:
	@python3 bench/report --build $(BUILD)

# What an operation costs with ever more connections; GROWTH passes options.
.PHONY: bench-growth
bench-growth: programs
	@bench/growth --build $(BUILD) $(GROWTH)

# ---- what people call

SUITES ?= unit sim catalogue clients snippets cross
.PHONY: run test suites check test-mutants lint format install clean
run:
	@tools/deps build
	@$(MAKE) --no-print-directory $(BUILD)/bin/chat
	$(BUILD)/bin/chat

test:
	@tools/deps test
	@$(MAKE) --no-print-directory suites

suites:
	@rm -f $(SUITES:%=$(BUILD)/results/%)
	@$(MAKE) --no-print-directory programs tests
	@for suite in $(SUITES); do $(MAKE) --no-print-directory $$suite; done; \
	  tools/run-tests --sum $(BUILD)/results:$(subst $(space),$(comma),$(SUITES))

check: lint
	@$(MAKE) --no-print-directory SUITES='unit sim' suites

test-mutants: catalogue
	tests/catalogue/run-mutants

lint: $(LIB) need-check
	@tools/lint --build $(BUILD)
	@tools/lint --self-test

format: need-check
	clang-format -i $(shell find $(wildcard core cpp bench tests tools) \
	  -name node_modules -prune -o -name '*.[ch]' -print -o -name '*.[ch]pp' -print \
	  -o -name '*.inc' -print)

install: lib
	@install -d $(DESTDIR)$(PREFIX)/include/weir $(DESTDIR)$(PREFIX)/lib/pkgconfig
	@install -m 644 core/include/weir/*.h $(wildcard cpp/include/weir/*.hpp) \
	  $(DESTDIR)$(PREFIX)/include/weir
	@install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	@printf '%s\n' 'Name: weir' 'Description: WebSocket server library' 'Version: $(VERSION)' \
	  'Cflags: -I$(PREFIX)/include' 'Libs: -L$(PREFIX)/lib -lweir $(LIBS)' \
	  >$(DESTDIR)$(PREFIX)/lib/pkgconfig/weir.pc
	@echo 'installed below $(DESTDIR)$(PREFIX)'
VERSION = $(shell sed -n 's/^.define WEIR_VERSION "\(.*\)"/\1/p' core/include/weir/version.h)

clean:
	rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(CORE_OBJ) $(DEBUG_OBJ) $(SUPPORT_OBJ) $(CROSS_OBJ) $(SOAK_OBJ) \
  $(foreach t,$(TOOLS),$(call tool_objects,$t)) \
  $(CXX_EXAMPLES:%=$(BUILD)/obj/cpp/examples/%.o) $(C_EXAMPLES:%=$(BUILD)/obj/core/examples/%.o) \
  $(TEST_OBJ) $(PEER_OBJ) $(BENCH_BIN:$(BUILD)/%=$(BUILD)/obj/%.o) \
  $(FUZZ:%=$(BUILD)/debug/tests/fuzz/%_fuzz.o))
