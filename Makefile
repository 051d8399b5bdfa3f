# weir: `make run` serves the tutorial app, `make test` runs every test, `make` builds build/bin/*.
BUILD ?= build
CC ?= gcc
CXX ?= g++
OPT ?= -O2
SANITIZE ?=

WARN := -Wall -Wextra -Werror
COMMON := $(OPT) -g $(WARN) -fno-omit-frame-pointer -pthread -MMD -MP -Icore/include -Icore \
  $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)
CFLAGS_ALL := -std=gnu11 $(COMMON) $(CFLAGS)
CXXFLAGS_ALL := -std=c++20 $(COMMON) -Icpp/include $(CXXFLAGS)
LDLIBS_ALL := -lcrypto -lz -pthread

LLHTTP_SRC := $(wildcard /usr/share/llhttp/*.c)
CORE_SRC := $(wildcard core/*/*.c)
CORE_SRC := $(filter-out core/examples/%,$(CORE_SRC))
CORE_OBJ := $(CORE_SRC:%.c=$(BUILD)/obj/%.o) $(patsubst /usr/share/llhttp/%.c,$(BUILD)/obj/llhttp/%.o,$(LLHTTP_SRC))
LIB := $(BUILD)/lib/libweir.a

UNIT_SRC := $(wildcard tests/unit/*_test.cpp)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.cpp=$(BUILD)/tests/%)

.PHONY: all lib unit clean
all: lib
lib: $(LIB)

$(LIB): $(CORE_OBJ)
	@mkdir -p $(@D)
	rm -f $@ && ar rcs $@ $^
$(BUILD)/obj/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(CC) $(OPT) -g -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -c $< -o $@
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -I/usr/share/include/llhttp -c $< -o $@
$(BUILD)/obj/%.o: %.cpp
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS_ALL) -c $< -o $@
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS_ALL) $^ -o $@ -lgtest_main -lgtest $(LDLIBS_ALL)
unit: $(UNIT_BIN)
	@set -e; for t in $(UNIT_BIN); do $$t --gtest_brief=1; done
clean:
	rm -rf $(BUILD)
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
