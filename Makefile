# qqmail: build, test and install. `make help` lists the targets.
#
# Everything is made under build/: build/<lua>/ holds one build for each Lua,
# build/c/ the C unit tests. User flags (CFLAGS, CPPFLAGS, LDFLAGS) are added
# to ours, never replaced by them; objects are made again when flags change.

LUA         ?= lua5.4
CC          ?= cc
AR          ?= ar
CFLAGS      ?= -O2 -g
PREFIX      ?= /usr/local
BUSTED      ?= $(shell command -v busted)
OPENSSL_DIR ?=

# Lists of interpreters: what `make test` covers. One whose headers were given
# by hand is tested alone.
ifneq ($(filter command environment,$(firstword $(origin LUA_INCDIR))),)
LUAS ?= $(LUA)
endif
LUAS ?= lua5.4 luajit lua5.3 lua5.1

# Internal: an instrumented build sets VARIANT, so that it lives in folders of
# its own, and the command its programs are run with.
VARIANT ?=
C_RUN   ?=
LUA_RUN ?=
WERROR  ?=

# Headers of the chosen Lua, and the version in the names of its folders.
LUA_INCDIRS_luajit = /usr/include/luajit-2.1 /usr/local/include/luajit-2.1
LUA_INCDIR ?= $(firstword $(wildcard $(LUA_INCDIRS_$(LUA)) /usr/include/$(LUA)))
LUA_ABI    := $(shell $(LUA) -e 'io.write((_VERSION:gsub("Lua ", "")))' 2>/dev/null)
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_ABI)
INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_ABI)
INST_BINDIR ?= $(PREFIX)/bin

B := build/$(LUA)$(VARIANT)
C := build/c$(VARIANT)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wold-style-definition -Wpointer-arith -Wcast-qual -Wcast-align \
  -Wwrite-strings -Wconversion -Wsign-conversion -Wundef -Wvla -Wformat=2 \
  -Wnull-dereference -Wswitch-enum -Wimplicit-fallthrough \
  -Wdouble-promotion -Wredundant-decls -Wnested-externs
OWN_CFLAGS := -std=c99 -pedantic -fPIC -fvisibility=hidden $(WARNINGS) \
  $(if $(WERROR),-Werror)
OWN_CPPFLAGS := -Icsrc -MMD -MP
ifneq ($(OPENSSL_DIR),)
OWN_CPPFLAGS += -I$(OPENSSL_DIR)/include
OPENSSL_LDFLAGS := -L$(OPENSSL_DIR)/lib
endif
OPENSSL_LIBS := $(OPENSSL_LDFLAGS) -lssl -lcrypto

BASE_SRC  := $(sort $(wildcard csrc/base/*.c))
CODEC_SRC := $(sort $(wildcard csrc/codec/*.c))
MIME_SRC  := $(sort $(wildcard csrc/mime/*.c))
SMTP_SRC  := $(sort $(wildcard csrc/smtp/*.c))
TLS_SRC   := $(sort $(wildcard csrc/tls/*.c))
CRYPTO_SRC := $(sort $(wildcard csrc/crypto/*.c))
NET_SRC   := $(sort $(wildcard csrc/net/*.c))
DISK_SRC  := $(sort $(wildcard csrc/disk/*.c))

CORE_SRC := $(BASE_SRC) $(CODEC_SRC) $(MIME_SRC) $(SMTP_SRC) \
  csrc/lua/lq_core.c csrc/lua/lq_codec.c csrc/lua/lq_message.c csrc/lua/lq_reading.c \
  csrc/lua/lq_pool.c \
  csrc/lua/lq_signing.c csrc/lua/lq_session.c csrc/lua/lq_envelope.c csrc/lua/lq_event.c \
  csrc/lua/lq_entropy.c csrc/lua/lq_waiting.c csrc/lua/lq_util.c
TLSMOD_SRC := $(BASE_SRC) $(TLS_SRC) csrc/lua/lq_tls.c csrc/lua/lq_waiting.c csrc/lua/lq_util.c
CRYPTOMOD_SRC := $(BASE_SRC) $(wildcard csrc/codec/qm_base64*.c) csrc/codec/qm_canon.c \
  csrc/mime/qm_source.c $(CRYPTO_SRC) csrc/lua/lq_crypto.c csrc/lua/lq_cms.c \
  csrc/lua/lq_dkim.c csrc/lua/lq_util.c
NETMOD_SRC := $(BASE_SRC) $(NET_SRC) csrc/lua/lq_net.c csrc/lua/lq_resolve.c \
  csrc/lua/lq_entropy.c csrc/lua/lq_waiting.c csrc/lua/lq_util.c
DISKMOD_SRC := $(BASE_SRC) $(DISK_SRC) csrc/net/qm_errno.c csrc/net/qm_os.c \
  csrc/lua/lq_disk.c csrc/lua/lq_util.c

MODULES := $(B)/qqmail/core.so $(B)/qqmail/tls.so $(B)/qqmail/net.so \
  $(B)/qqmail/disk.so $(B)/qqmail/crypto.so
LUA_SRC := $(shell find lua -name '*.lua' | sort)

objects = $(patsubst csrc/%.c,$(B)/obj/%.o,$(1))

.PHONY: all help build deps deps-dev judges test test-all test-c test-lua test-gc \
  test-neon asan valgrind coverage check lint luacheck clang-tidy cppcheck shellcheck \
  rules format-check warnings fmt demo docs options-doc doctor-doc errors-doc \
  providers-doc bench bench-nginx bench-roundtrips bench-many bench-rate bench-attachment \
  bench-first bench-counts bench-mime bench-start bench-linear truth diagnosis-rows rockspec \
  charset-table install clean FORCE
all: build

help:
	@echo 'build       the five modules for LUA=$(LUA), into $(B)/qqmail'
	@echo 'deps        install what building and testing need (Debian)'
	@echo 'judges      the parsers that specs judge messages by, into build/judges (npm)'
	@echo 'demo        deps, build, then send a mail to a private Postfix and show it'
	@echo 'test        deps, build, then all tests under: $(LUAS)'
	@echo 'test-c      the C unit tests alone (C_UNITS= for some of them)'
	@echo 'test-neon   what is written for vectors, as arm64 under qemu'
	@echo 'test-lua    the Lua specs under LUA=$(LUA) alone (SPEC=, BUSTED_FLAGS=)'
	@echo 'truth       what callers learn of connections cut at any byte, as a table'
	@echo 'diagnosis-rows  what is known to go wrong, and how a spec makes it happen'
	@echo 'test-gc     the Lua specs with the most aggressive collector'
	@echo 'asan        all tests under AddressSanitizer and UBSan'
	@echo 'valgrind    all tests under valgrind'
	@echo 'coverage    C coverage of all tests, into build/coverage'
	@echo 'test-all    test, test-gc, asan, valgrind'
	@echo 'bench       some seconds of each, for the ratios: $(BENCH_SHORT)'
	@echo 'bench-nginx measure mails sent from inside nginx (BENCH_FLAGS=, see bench/README.md)'
	@echo 'bench-roundtrips  round trips a mail over a long line, beside other clients'
	@echo 'bench-many  10,000 mails over 10 connections, each accounted for'
	@echo 'bench-rate  mails a second over one warm connection, beside other clients'
	@echo 'bench-attachment  a large file over SMTP, beside other clients'
	@echo 'bench-first round trips to the first mail over a long line'
	@echo 'bench-counts  instructions a mail, beside those in bench/baseline.json'
	@echo 'bench-mime  a large file as a message: how fast, in how much memory'
	@echo 'bench-start what a process costs that loads the library, and that sends a mail'
	@echo 'bench-linear  whether a hundred times as much takes a hundred times as long'
	@echo 'check       linters, house rules, exports, format, docs, no warning of two compilers'
	@echo 'lint        the linters alone'
	@echo 'fmt         format the C sources'
	@echo 'rockspec    write rockspec/ anew from the tree'
	@echo 'options-doc write docs/options.md anew from the option rows'
	@echo 'doctor-doc  write the made parts of docs/doctor.md anew, from runs in broken worlds'
	@echo 'providers-doc write docs/providers.md anew from the presets'
	@echo 'errors-doc  write docs/errors.md anew from the catalogue of errors'
	@echo 'charset-table  measure how Chinese charsets are told apart (CATALOGUES=)'
	@echo 'docs        API documentation, into build/doc'
	@echo 'install     into $$(DESTDIR)$(PREFIX)/{lib,share}/lua/$(LUA_ABI) and bin'
	@echo 'clean       remove build/'

# --- build -----------------------------------------------------------------

build: $(MODULES)

# The file changes only when the flags do.
FLAGS_KEY := $(CC) $(OWN_CPPFLAGS) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) $(LDFLAGS)
$(B)/.flags $(C)/.flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS_KEY)' | cmp -s - $@ || echo '$(FLAGS_KEY)' >$@

$(B)/obj/%.o: csrc/%.c $(B)/.flags
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -I$(LUA_INCDIR) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -c $< -o $@

$(B)/qqmail/core.so: $(call objects,$(CORE_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ -ldl -o $@

$(B)/qqmail/tls.so: $(call objects,$(TLSMOD_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ $(OPENSSL_LIBS) -o $@

$(B)/qqmail/crypto.so: $(call objects,$(CRYPTOMOD_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ $(OPENSSL_LDFLAGS) -lcrypto -o $@

$(B)/qqmail/net.so: $(call objects,$(NETMOD_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ -lpthread -ldl -o $@

$(B)/qqmail/disk.so: $(call objects,$(DISKMOD_SRC))
	@mkdir -p $(@D)
	$(CC) -shared $(LDFLAGS) $(CFLAGS) $^ -ldl -o $@

-include $(wildcard $(B)/obj/*/*.d)

# The one list of sources; the rockspec is made from it.
.PHONY: print-sources
print-sources:
	@echo 'qqmail.core $(CORE_SRC)'
	@echo 'qqmail.crypto $(CRYPTOMOD_SRC)'
	@echo 'qqmail.disk $(DISKMOD_SRC)'
	@echo 'qqmail.net $(NETMOD_SRC)'
	@echo 'qqmail.tls $(TLSMOD_SRC)'

deps:
	@tools/deps.sh run
	@tools/judges.sh

deps-dev:
	@tools/deps.sh run dev
	@tools/judges.sh

# The parsers that messages are judged by, see spec/judges.
judges:
	@tools/judges.sh

install: build
	install -d $(DESTDIR)$(INST_LIBDIR)/qqmail
	install -m 755 $(MODULES) $(DESTDIR)$(INST_LIBDIR)/qqmail
	@set -e; for f in $(LUA_SRC:lua/%=%); do \
	  echo "install lua/$$f"; \
	  install -D -m 644 "lua/$$f" "$(DESTDIR)$(INST_LUADIR)/$$f"; done
	install -D -m 755 bin/qqmail $(DESTDIR)$(INST_BINDIR)/qqmail
	sed -i '1s|.*|#!/usr/bin/env $(LUA)|' $(DESTDIR)$(INST_BINDIR)/qqmail

clean:
	rm -rf build

# --- tests -----------------------------------------------------------------
# Every suite ends with "N passed, N failed, N skipped"; tools/tally.sh adds
# these up and prints the sum as the last line.

SUBMAKE := $(MAKE) --no-print-directory -s

# One program for each spec/c/test_<unit>.c; C_UNITS="run dot": those alone.
C_UNITS ?= *
C_TESTS := $(patsubst spec/c/%.c,$(C)/%,$(sort \
  $(foreach unit,$(C_UNITS),$(wildcard spec/c/test_$(unit).c))))
C_TEST_SRC := $(BASE_SRC) $(CODEC_SRC) $(MIME_SRC) $(SMTP_SRC) $(NET_SRC) $(TLS_SRC) \
  $(DISK_SRC) $(CRYPTO_SRC)
C_TEST_OBJ := $(patsubst csrc/%.c,$(C)/obj/%.o,$(C_TEST_SRC))

$(C)/obj/%.o: csrc/%.c $(C)/.flags
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -DQM_TEST_ALLOC $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -c $< -o $@

$(C)/libqm.a: $(C_TEST_OBJ)
	rm -f $@
	$(AR) rcs $@ $^

$(C)/test_%: spec/c/test_%.c $(C)/libqm.a $(wildcard spec/c/*.h)
	@mkdir -p $(@D)
	$(CC) $(OWN_CPPFLAGS) -Ispec/c -DQM_TEST_ALLOC $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) \
	  $< $(C)/libqm.a $(LDFLAGS) $(OPENSSL_LIBS) -lpthread -ldl -o $@

-include $(wildcard $(C)/obj/*/*.d) $(wildcard $(C)/*.d)

test-c: $(C_TESTS)
	@tools/tally.sh $(foreach t,$(C_TESTS),'$(notdir $(t)): $(C_RUN) $(t)')

# Units that are written for vectors, in plain C, as they are where there are none.
VECTOR_UNITS := base64_lines run
plain_suite   = 'C without vectors: $(SUBMAKE) test-c VARIANT=-plain \
  CPPFLAGS=-DQM_NO_VECTORS C_UNITS="$(VECTOR_UNITS) base64 body dot qp scan"'

# And with NEON, on a processor that has none.
NEON_CC := aarch64-linux-gnu-gcc -O2 -static
test-neon:
	@mkdir -p build/neon
	@tools/tally.sh $(foreach unit,$(VECTOR_UNITS),'$(unit): $(NEON_CC) $(OWN_CPPFLAGS) \
	  -Ispec/c spec/c/test_$(unit).c csrc/codec/qm_$(unit).c $(BASE_SRC) \
	  -o build/neon/$(unit) && qemu-aarch64-static build/neon/$(unit)')

# Programs that a spec starts find this build as well.
TEST_ENV = env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS LUA=$(LUA) QQMAIL_BUILD=$(B) \
  LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;' \
  LUA_CPATH='$(CURDIR)/$(B)/?.so;;'
SPEC         ?= spec
BUSTED_FLAGS ?=

test-lua: build
	@$(TEST_ENV) $(LUA_RUN) $(LUA) $(BUSTED) \
	  --output=spec/support/counting_handler.lua $(BUSTED_FLAGS) $(SPEC)

# What is told of sessions that are cut at any byte, in numbers.
truth:
	@$(SUBMAKE) test-lua LUA_RUN="env QQMAIL_TRUTH=1" SPEC=spec/truth_spec.lua

# What is known to go wrong, produced or not.
diagnosis-rows:
	@$(TOOL_LUA) tools/diagnosis_rows.lua

suite = '$(1): $(SUBMAKE) test-lua LUA=$(1) $(2)'

# So many suites run side by side: most of their time is spent waiting.
TEST_JOBS ?= $(shell nproc)

test: deps
	@tools/tally.sh -j $(TEST_JOBS) 'C: $(SUBMAKE) test-c' $(plain_suite) $(foreach l,$(LUAS),$(call suite,$(l)))

# Without the specs of nginx: the collector that matters there is in another process.
# A few files at a time: a full collection at each step costs as much as is loaded.
GC_LUAS  ?= lua5.4 luajit
GC_SPEC  ?= spec/*_spec.lua
GC_GROUPS = $(shell printf '%s\n' $(GC_SPEC) | xargs -n 6 | tr ' ' ',')
comma    := ,
gc_suite  = $(call suite,$(1),BUSTED_FLAGS="--helper=spec/support/gc_helper.lua" \
  SPEC="$(subst $(comma), ,$(2))" LUA_RUN="env QQMAIL_INSTRUMENTED=gc")
test-gc: deps
	@set -e; for lua in $(GC_LUAS); do $(SUBMAKE) build LUA=$$lua; done
	@tools/tally.sh -j $(TEST_JOBS) $(foreach l,$(GC_LUAS),$(foreach g,$(GC_GROUPS),$(call gc_suite,$(l),$(g))))

# The modules stay mapped until the process ends (nodelete), so that the frames
# in a leak report still have names.
ASAN_VARS := VARIANT=-asan CC=gcc LDFLAGS="-Wl,-z,nodelete" \
  CFLAGS="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
asan: deps
	@tools/tally.sh \
	  'C, sanitized: $(SUBMAKE) test-c $(ASAN_VARS) C_RUN="tools/sanitized.sh"' \
	  'lua5.4, sanitized: $(SUBMAKE) test-lua LUA=lua5.4 $(ASAN_VARS) LUA_RUN="tools/sanitized.sh"'

VALGRIND_VARS := VARIANT=-valgrind CC=gcc LDFLAGS="-Wl,-z,nodelete" CFLAGS="-O1 -g"
valgrind: deps-dev
	@tools/tally.sh \
	  'C, valgrind: $(SUBMAKE) test-c $(VALGRIND_VARS) C_RUN="tools/valground.sh"' \
	  'lua5.4, valgrind: $(SUBMAKE) test-lua LUA=lua5.4 $(VALGRIND_VARS) LUA_RUN="tools/valground.sh"'

COVERAGE_VARS := VARIANT=-coverage CC=gcc LDFLAGS="" CFLAGS="-O0 -g --coverage"
coverage: deps-dev
	@find build -name '*.gcda' -delete 2>/dev/null || true
	@tools/tally.sh 'C: $(SUBMAKE) test-c $(COVERAGE_VARS)' \
	  $(call suite,lua5.4,$(COVERAGE_VARS))
	@mkdir -p build/coverage
	gcovr --root . --filter 'csrc/' --branches --print-summary \
	  --html-details build/coverage/index.html build

test-all: deps-dev
	@tools/tally.sh 'test: $(SUBMAKE) test' 'test-gc: $(SUBMAKE) test-gc' \
	  'asan: $(SUBMAKE) asan' 'valgrind: $(SUBMAKE) valgrind'

demo: deps build
	@$(TEST_ENV) tools/demo.sh

# --- measurements ----------------------------------------------------------

BENCH := build/bench$(VARIANT)
BENCH_PROGRAMS := $(BENCH)/sink $(BENCH)/probe $(BENCH)/link $(BENCH)/launch $(BENCH)/limit \
  $(BENCH)/mime_limit
BENCH_FLAGS ?=

# Peers are built where what they need is there.
CURL_H := $(wildcard /usr/include/curl/curl.h /usr/include/*/curl/curl.h)
GO := $(wildcard $(addsuffix /go,$(subst :, ,$(PATH))))
PEERS := $(if $(wildcard /usr/include/gmime-3.0),$(BENCH)/mime_gmime) \
  $(if $(CURL_H),$(BENCH)/mime_curl $(BENCH)/send_curl) \
  $(if $(GO),$(BENCH)/mime_go $(BENCH)/send_go)

LINES_SRC := $(wildcard csrc/codec/qm_base64_lines.[ch])
NOTICE_SRC := bench/notice.c bench/bench.c $(LINES_SRC)

$(BENCH)/sink: bench/sink.c bench/sink_conn.c bench/sink_ids.c bench/bench.c
$(BENCH)/probe: bench/probe.c bench/bench.c
$(BENCH)/link: bench/link.c bench/bench.c
$(BENCH)/launch: bench/launch.c bench/bench.c
$(BENCH)/limit: bench/limit.c bench/wire.c $(NOTICE_SRC)
$(BENCH)/mime_limit: bench/peers/mime_limit.c bench/bench.c $(LINES_SRC)
$(BENCH_PROGRAMS): $(wildcard bench/*.h) $(C)/.flags
	@mkdir -p $(@D)
	$(CC) -Ibench -Icsrc $(OPENSSL_DIR:%=-I%/include) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) \
	  $(filter %.c,$^) $(LDFLAGS) $(OPENSSL_LIBS) -o $@

# Their headers are not ours: warnings about them are of no use.
$(BENCH)/mime_gmime: PACKAGE = gmime-3.0
$(BENCH)/mime_curl $(BENCH)/send_curl: PACKAGE = libcurl
$(BENCH)/send_curl: $(NOTICE_SRC)
PEERS_OF_C := $(BENCH)/mime_gmime $(BENCH)/mime_curl $(BENCH)/send_curl
$(PEERS_OF_C): $(BENCH)/%: bench/peers/%.c bench/bench.c $(wildcard bench/*.h)
	@mkdir -p $(@D)
	$(CC) -Ibench -Icsrc $(CPPFLAGS) $(CFLAGS) -Wall -Wextra $$(pkg-config --cflags $(PACKAGE)) \
	  $(filter %.c,$^) $(LDFLAGS) $$(pkg-config --libs $(PACKAGE)) -o $@

$(BENCH)/mime_go $(BENCH)/send_go: $(BENCH)/%: bench/peers/%.go
	@mkdir -p $(@D)
	GO111MODULE=off GOCACHE=$(CURDIR)/build/gocache go build -o $@ $<

.PHONY: bench-programs bench-peers
bench-programs: $(BENCH_PROGRAMS)
bench-peers: $(PEERS)
	@tools/judges.sh bench/peers build/peers

# nginx runs LuaJIT.
bench-nginx:
	@tools/deps.sh run bench
	@$(SUBMAKE) build bench-programs LUA=luajit
	@bench/nginx/run.py $(BENCH_FLAGS)

bench-roundtrips bench-many bench-first bench-linear bench-mime:
	@tools/deps.sh run bench
	@$(SUBMAKE) build bench-programs bench-peers
	@bench/$(@:bench-%=%)/run.py --lua $(LUA) $(BENCH_FLAGS)

# Under LuaJIT and lua5.4.
bench-rate bench-attachment bench-start:
	@tools/deps.sh run bench
	@set -e; for lua in lua5.4 luajit; do $(SUBMAKE) build LUA=$$lua; done
	@$(SUBMAKE) bench-programs bench-peers
	@bench/$(@:bench-%=%)/run.py $(BENCH_FLAGS)

# Under lua5.4 alone: its counts repeat.
bench-counts:
	@tools/deps.sh run bench
	@$(SUBMAKE) build bench-programs LUA=lua5.4
	@bench/counts.py $(BENCH_FLAGS)

# The short form: some seconds of each, for the ratios; it asserts nothing. Counting
# instructions takes too long for it.
BENCH_SHORT := rate attachment first many mime start linear
SHORT_rate := --only plain --rounds 3 --seconds 0.1
SHORT_attachment := --only plain --rounds 3 --seconds 0.1
SHORT_first := --rounds 1 --mails 2
SHORT_many := --only flight --rounds 1 --mails 1000
SHORT_mime := --sizes 25 --outputs null --rounds 1
SHORT_start := --rounds 1 --runs 5
SHORT_linear := --rounds 1 --only header,rows
bench:
	@$(foreach section,$(BENCH_SHORT),$(SUBMAKE) bench-$(section) \
	  BENCH_FLAGS="$(SHORT_$(section))" || status=1;) exit $${status:-0}

# --- checks ----------------------------------------------------------------

C_FILES := $(sort $(wildcard csrc/*/*.[ch] spec/c/*.[ch] bench/*.[ch] bench/*/*.[ch]))
C_SRCS  := $(sort $(wildcard csrc/*/*.c bench/*.c))
TOOL_LUA = lua5.4

check: deps-dev lint rules format-check docs warnings
	@echo 'check: all clean'

lint: luacheck shellcheck cppcheck clang-tidy

luacheck:
	luacheck -q .

shellcheck:
	shellcheck $(wildcard tools/*.sh bench/*.sh .ci/run)

cppcheck:
	cppcheck --std=c99 --enable=warning,style,performance,portability \
	  --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem \
	  -q -Icsrc csrc bench

clang-tidy:
	@mkdir -p build
	clang-tidy --quiet $(C_SRCS) -- -std=c99 -Icsrc -I$(LUA_INCDIR) \
	  2>build/clang-tidy.log || { cat build/clang-tidy.log >&2; exit 1; }

rules: build
	$(TOOL_LUA) tools/check_floors.lua .
	$(TOOL_LUA) tools/check_functions.lua .
	tools/check_exports.sh $(MODULES)
	$(TOOL_LUA) tools/rockspec.lua
	$(OPTIONS_DOC)
	$(DOCTOR_DOC)
	$(ERRORS_DOC)

format-check:
	clang-format --dry-run --Werror $(C_FILES)

# Two compilers, no warning. What only gcc has is added for it.
GCC_WARNINGS := -Wduplicated-cond -Wduplicated-branches -Wlogical-op -Walloca
warnings:
	$(SUBMAKE) build c-tests bench-programs WERROR=1 CC=gcc VARIANT=-gcc CFLAGS="-O2 $(GCC_WARNINGS)"
	$(SUBMAKE) build c-tests bench-programs WERROR=1 CC=clang VARIANT=-clang CFLAGS="-O2"

.PHONY: c-tests
c-tests: $(C_TESTS)

fmt:
	clang-format -i $(C_FILES)

rockspec:
	$(TOOL_LUA) tools/rockspec.lua --write

OPTIONS_DOC := LUA_PATH='lua/?.lua;lua/?/init.lua;;' $(TOOL_LUA) tools/options_doc.lua
options-doc:
	$(OPTIONS_DOC) --write

DOCTOR_DOC = env LUA_PATH='lua/?.lua;lua/?/init.lua;;' LUA_CPATH='$(B)/?.so;;' $(LUA) \
  tools/doctor_doc.lua
doctor-doc: build
	@$(TEST_ENV) $(LUA) tools/doctor_doc.lua --write

PROVIDERS_DOC := LUA_PATH='lua/?.lua;lua/?/init.lua;;' $(TOOL_LUA) tools/providers_doc.lua
providers-doc:
	$(PROVIDERS_DOC) --write

ERRORS_DOC := LUA_PATH='lua/?.lua;lua/?/init.lua;;' $(TOOL_LUA) tools/errors_doc.lua
errors-doc:
	$(ERRORS_DOC) --write

# How often the charset of a short Chinese text is found out; CATALOGUES= is a folder of
# more message catalogues, such as those of packages that are not installed.
CATALOGUES ?=
charset-table: build
	@$(TEST_ENV) $(LUA) tools/charset_table.lua $(CATALOGUES)

docs:
	@command -v ldoc >/dev/null || { echo 'docs: ldoc is missing: make deps-dev' >&2; exit 1; }
	ldoc --fatalwarnings .
