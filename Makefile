# qqmail: build, test and install.
#
# Everything is made under build/: build/<lua>/ holds one build for each Lua,
# build/c/ the C unit tests. User flags (CFLAGS, CPPFLAGS, LDFLAGS) are added
# to ours, never replaced by them.

LUA        ?= lua5.4
CC         ?= cc
CFLAGS     ?= -O2 -g
PREFIX     ?= /usr/local
BUSTED     ?= busted
OPENSSL_DIR ?=

# Headers and library directories of the chosen Lua.
LUA_INCDIR ?= $(firstword $(wildcard $(LUA_INCDIRS_$(LUA)) /usr/include/$(LUA)))
LUA_INCDIRS_luajit = /usr/include/luajit-2.1 /usr/local/include/luajit-2.1
LUA_ABI    := $(shell $(LUA) -e 'io.write((_VERSION:gsub("Lua ", "")))' 2>/dev/null)

B := build/$(LUA)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align \
  -Wwrite-strings -Wconversion -Wsign-conversion -Wundef -Wvla -Wformat=2 \
  -Wnull-dereference -Wswitch-enum -Wimplicit-fallthrough \
  -Wdouble-promotion -Wredundant-decls -Wnested-externs
OWN_CFLAGS := -std=c99 -pedantic -fPIC -fvisibility=hidden $(WARNINGS)
OWN_CPPFLAGS := -Icsrc -MMD -MP
ifneq ($(OPENSSL_DIR),)
OWN_CPPFLAGS += -I$(OPENSSL_DIR)/include
OPENSSL_LDFLAGS := -L$(OPENSSL_DIR)/lib
endif
OPENSSL_LIBS := $(OPENSSL_LDFLAGS) -lssl -lcrypto

BASE_SRC  := $(wildcard csrc/base/*.c)
CODEC_SRC := $(wildcard csrc/codec/*.c)
MIME_SRC  := $(wildcard csrc/mime/*.c)
SMTP_SRC  := $(wildcard csrc/smtp/*.c)
TLS_SRC   := $(wildcard csrc/tls/*.c)
NET_SRC   := $(wildcard csrc/net/*.c)

CORE_SRC := $(BASE_SRC) $(CODEC_SRC) $(MIME_SRC) $(SMTP_SRC) \
  csrc/lua/lq_core.c csrc/lua/lq_codec.c csrc/lua/lq_message.c \
  csrc/lua/lq_session.c csrc/lua/lq_entropy.c csrc/lua/lq_util.c
TLSMOD_SRC := $(BASE_SRC) $(TLS_SRC) csrc/lua/lq_tls.c csrc/lua/lq_util.c
NETMOD_SRC := $(BASE_SRC) $(NET_SRC) csrc/lua/lq_net.c csrc/lua/lq_util.c

MODULES := $(B)/qqmail/core.so $(B)/qqmail/tls.so $(B)/qqmail/net.so

objects = $(patsubst csrc/%.c,$(B)/obj/%.o,$(1))

.PHONY: all build test test-lua test-c clean
all: build
build: $(MODULES)

$(B)/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -I$(LUA_INCDIR) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -c $< -o $@

$(B)/qqmail/core.so: $(call objects,$(CORE_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ -o $@

$(B)/qqmail/tls.so: $(call objects,$(TLSMOD_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ $(OPENSSL_LIBS) -o $@

$(B)/qqmail/net.so: $(call objects,$(NETMOD_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ -lpthread -ldl -o $@

-include $(wildcard $(B)/obj/*/*.d)

# --- C unit tests: one program for each spec/c/test_<unit>.c ---------------

C_TESTS := $(patsubst spec/c/%.c,build/c/%,$(wildcard spec/c/test_*.c))
C_TEST_SRC := $(BASE_SRC) $(CODEC_SRC) $(MIME_SRC) $(SMTP_SRC) $(NET_SRC) $(TLS_SRC)
C_TEST_OBJ := $(patsubst csrc/%.c,build/c/obj/%.o,$(C_TEST_SRC))

build/c/obj/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -DQM_TEST_ALLOC $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -c $< -o $@

build/c/libqm.a: $(C_TEST_OBJ)
	rm -f $@
	ar rcs $@ $^

build/c/test_%: spec/c/test_%.c build/c/libqm.a $(wildcard spec/c/*.h)
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -Ispec/c -DQM_TEST_ALLOC $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) \
	  $< build/c/libqm.a $(LDFLAGS) $(OPENSSL_LIBS) -lpthread -ldl -o $@

-include $(wildcard build/c/obj/*/*.d) $(wildcard build/c/*.d)

test-c: $(C_TESTS)
	@for t in $(C_TESTS); do $$t || exit 1; done

test-lua: build
	$(LUA) $(shell command -v $(BUSTED)) --lpath="lua/?.lua;lua/?/init.lua" --cpath="$(B)/?.so"

test: test-c test-lua

clean:
	rm -rf build
