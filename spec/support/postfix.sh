#!/bin/sh
# A private Postfix with Dovecot's SASL on loopback, for specs and the demo.
#
#   postfix.sh start ROOT CERTS BASEPORT   start; print NAME=VALUE lines
#   postfix.sh stop ROOT                   stop both and remove ROOT
#   postfix.sh watch ROOT                  the same once standard input ends
#   postfix.sh halt ROOT                   Postfix alone, as an administrator does it
#   postfix.sh resume ROOT                 starts it again
#   postfix.sh slay ROOT                   kill -9 whoever talks with clients
#   postfix.sh check                       whether it can run here
#
# Ports, from BASEPORT on: +0 MX for test.local, +1 submission (STARTTLS before
# anything else), +2 implicit TLS, +3 AUTH in clear allowed, +4 no extension of
# SMTP, +5 HELO only, +6 TLS before 1.2 only, +7 LMTP (Dovecot, if installed).
#
# Nothing leaves the machine: whatever is accepted goes, for each recipient, to
# the Maildir ROOT/mail/<recipient in lower case>. Envelope addresses that are
# refused: RCPT r421 r450 r452 r550 r552 r554@test.local; by the sender, at
# MAIL s450 s550, at DATA d421 d451 d554, after the message e421 e451 e552
# e554@test.local. Taken, and found to be nobody only then: lost@test.local.
#
# box.test is a domain with users: in1@box.test to in500@box.test have Maildirs
# ROOT/mail/<local part>, anybody else is refused as unknown. No program is run
# for each mail, so that thousands of them take seconds.
#
# ROOT has to be reachable for the users postfix and nobody. Needs root.
set -eu
unset LD_PRELOAD

fail() {
  echo "postfix.sh: $*" >&2
  exit 1
}

check() {
  [ "$(id -u)" -eq 0 ] || fail "needs root"
  for program in postfix dovecot doveadm; do
    command -v "$program" >/dev/null || fail "$program is not installed"
  done
}

# --- configuration -----------------------------------------------------------

write_main() {
  cat <<X
compatibility_level = 3.6
queue_directory = $root/spool
data_directory = $root/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = $root/log/mail
maillog_file_prefixes = $root/log

myhostname = mx.test
smtpd_banner = \$myhostname ESMTP
mydestination =
mynetworks =
inet_interfaces = loopback-only
inet_protocols = ipv4
smtpd_peername_lookup = no
local_recipient_maps =
local_transport = error:5.1.1 no local mail
alias_maps =
alias_database =
notify_classes =
local_header_rewrite_clients =
biff = no

relay_domains = test.local, 例子.测试, xn--fsqu00a.xn--0zwm56d
relay_transport = maildir
default_transport = maildir
maildir_destination_recipient_limit = 1
transport_maps = inline:{ {defer.test=retry:4.3.0 try later} {bounce.test=error:5.1.1 no such user} {discard.test=discard:} }
maximal_queue_lifetime = 0
bounce_queue_lifetime = 0

virtual_mailbox_domains = box.test
virtual_mailbox_base = $root/mail
virtual_mailbox_maps = texthash:$root/etc/boxes
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
virtual_minimum_uid = 1

message_size_limit = 52428800
virtual_mailbox_limit = 0
smtputf8_enable = yes
smtputf8_autodetect_classes = all
default_process_limit = 20
smtpd_client_connection_rate_limit = 0
smtpd_error_sleep_time = 0
smtpd_timeout = 60s
smtpd_recipient_limit = 200
# Who was killed in the first session of its life must not be missed for a minute.
service_throttle_time = 1s
smtpd_forbid_bare_newline = reject
smtpd_forbid_bare_newline_exclusions =

smtpd_delay_reject = no
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sender_restrictions = check_sender_access inline:{ {s450@test.local=450 4.1.8 sender deferred} {s550@test.local=550 5.1.8 sender rejected} }
smtpd_recipient_restrictions = check_recipient_access inline:{ {r421@test.local=421 4.3.2 shutting down} {r450@test.local=450 4.2.1 busy} {r452@test.local=452 4.5.3 too many} {r550@test.local=550 5.1.1 unknown} {r552@test.local=552 5.2.2 quota} {r554@test.local=554 5.7.1 spam} }
smtpd_data_restrictions = check_sender_access inline:{ {d421@test.local=421 4.3.2 bye at data} {d451@test.local=451 4.3.0 data deferred} {d554@test.local=554 5.7.1 data rejected} }
smtpd_end_of_data_restrictions = check_sender_access inline:{ {e421@test.local=421 4.3.2 bye at end} {e451@test.local=451 4.3.0 end deferred} {e552@test.local=552 5.3.4 end too big} {e554@test.local=554 5.7.1 end rejected} }

smtpd_tls_security_level = may
smtpd_tls_chain_files = $root/etc/good.key, $root/etc/good.pem
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $root/auth
smtpd_sasl_security_options = noanonymous
smtpd_sasl_authenticated_header = yes
X
}

# No smtp client among the services: mail cannot get out.
write_master() {
  cat <<X
127.0.0.1:$base inet n - n - - smtpd
127.0.0.1:$((base + 1)) inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$((base + 2)) inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$((base + 3)) inet n - n - - smtpd
  -o smtpd_tls_auth_only=no
127.0.0.1:$((base + 4)) inet n - n - - smtpd
  -o { smtpd_discard_ehlo_keywords = chunking, pipelining, 8bitmime, smtputf8, size, dsn, enhancedstatuscodes, starttls, vrfy, etrn }
127.0.0.1:$((base + 5)) inet n - n - - smtpd
  -o { smtpd_command_filter = regexp:{ {/^EHLO.*/ BAD} } }
127.0.0.1:$((base + 6)) inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o { smtpd_tls_mandatory_protocols = TLSv1, TLSv1.1 }
  -o { smtpd_tls_protocols = TLSv1, TLSv1.1 }
  -o smtpd_tls_ciphers=low
  -o { tls_low_cipherlist = ALL:@SECLEVEL=0 }
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
maildir unix - n n - - pipe
  flags=R user=nobody argv=$root/etc/deliver $root/mail \${recipient} \${queue_id}
X
}

write_deliver() {
  cat <<'X'
#!/bin/sh
# deliver MAIL RECIPIENT QUEUEID: one message into a Maildir
set -eu
umask 022
if [ "$2" = lost@test.local ]; then
  echo 'no such user here'
  exit 67
fi
box=$1/$(printf %s "$2" | tr 'A-Z/' 'a-z_')
mkdir -p "$box/tmp" "$box/new" "$box/cur"
name=$(date +%s.%N).$3.$$
cat >"$box/tmp/$name"
mv "$box/tmp/$name" "$box/new/$name"
X
}

# One setting a line inside braces: Dovecot wants it so.
write_dovecot() {
  cat <<X
base_dir = $root/run
state_dir = $root/state
log_path = $root/log/dovecot
instance_name = qqmail-spec
listen = 127.0.0.1
ssl = no
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
first_valid_uid = 1
mail_location = maildir:$root/mail/%u
mailbox_list_index = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer
auth_username_chars =
auth_verbose = yes
auth_failure_delay = 0
disable_plaintext_auth = no
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = $root/etc/oauth2
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
  args = scheme=PLAIN username_format=%u $root/etc/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$root/mail/%u allow_all_users=yes
}
service auth {
  chroot =
  unix_listener $root/auth {
    mode = 0666
  }
}
service anvil {
  chroot =
  # No growing delay after refused logins.
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
X
  if [ -x /usr/lib/dovecot/lmtp ]; then
    cat <<X
protocols = lmtp
service lmtp {
  chroot =
  inet_listener lmtp {
    address = 127.0.0.1
    port = $((base + 7))
  }
}
X
  else
    echo 'protocols ='
  fi
}

write_users() {
  printf '%s\n' 'user@qq.com:{PLAIN}abcdefghijklmnop' 'u:{PLAIN}p' '用户@qq.com:{PLAIN}密码密码'
}

# Tokens are JSON Web Tokens, signed by HMAC with SHA-256 under this key.
write_oauth2() {
  cat <<X
introspection_mode = local
username_attribute = sub
local_validation_key_dict = fs:posix:prefix=$root/etc/keys/
X
  mkdir -p "$root/etc/keys/default/HS256"
  printf %s 'key of the specs' | base64 >"$root/etc/keys/default/HS256/default"
}

write_boxes() {
  i=1
  while [ "$i" -le 500 ]; do
    echo "in$i@box.test in$i/"
    i=$((i + 1))
  done
}

write_all() {
  mkdir -p "$root/etc" "$root/spool" "$root/data" "$root/log" "$root/mail"
  chmod 755 "$root" "$root"/*
  cp "$certs/good.pem" "$certs/good.key" "$root/etc"
  write_main >"$root/etc/main.cf"
  write_master >"$root/etc/master.cf"
  write_deliver >"$root/etc/deliver"
  write_dovecot >"$root/etc/dovecot.conf"
  write_users >"$root/etc/users"
  write_oauth2 >"$root/etc/oauth2"
  write_boxes >"$root/etc/boxes"
  find "$root/etc" -type f -exec chmod 644 {} +
  chmod 755 "$root/etc/deliver"
  chmod 600 "$root/etc/good.key"
  : >"$root/log/mail"
  # Postfix's own tools speak to the log as well when they are run after a crash.
  chown postfix "$root/data" "$root/log/mail"
  chown nobody "$root/mail"
}

# --- life --------------------------------------------------------------------

start() {
  check
  write_all
  # What the daemons inherit must not keep the caller's pipe open.
  dovecot -c "$root/etc/dovecot.conf" >"$root/log/start" 2>&1 </dev/null ||
    fail "dovecot does not start: $(cat "$root/log/start")"
  postfix -c "$root/etc" start >>"$root/log/start" 2>&1 </dev/null ||
    fail "postfix does not start: $(cat "$root/log/start" "$root/log/mail")"
  printf '%s\n' "ROOT=$root" "MX=$base" "SUBMISSION=$((base + 1))" "SMTPS=$((base + 2))" \
    "PLAIN=$((base + 3))" "BARE=$((base + 4))" "HELO=$((base + 5))" "OLDTLS=$((base + 6))"
  if [ -x /usr/lib/dovecot/lmtp ]; then
    echo "LMTP=$((base + 7))"
  fi
}

# A process that has ended but that nobody waits for (in a container without an
# init) does not count.
is_running() {
  kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# Waits, at most ten seconds, until a process has ended.
wait_end() {
  tries=0
  while is_running "$1" && [ "$tries" -lt 100 ]; do
    sleep 0.1
    tries=$((tries + 1))
  done
}

end_process() {
  pid=$(tr -d ' ' 2>/dev/null <"$1") || return 0
  if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then
    wait_end "$pid"
  fi
}

stop() {
  [ -d "$root/etc" ] || return 0
  end_process "$root/spool/pid/master.pid"
  end_process "$root/run/master.pid"
  rm -rf "$root"
}

# Back when Postfix has gone, and with it every process that served a client.
halt() {
  [ -d "$root/etc" ] || fail "nothing runs in $root"
  postfix -c "$root/etc" stop >>"$root/log/start" 2>&1 </dev/null
}

resume() {
  postfix -c "$root/etc" start >>"$root/log/start" 2>&1 </dev/null ||
    fail "postfix does not start again: $(cat "$root/log/start")"
}

# Only the children of our own master.
slay() {
  master=$(tr -d ' ' <"$root/spool/pid/master.pid")
  [ -n "$master" ] || fail "nothing runs in $root"
  pkill -KILL -P "$master" -x smtpd || true
}

# Stops when whoever holds the other end of standard input is gone, however it
# ended; signals sent to the whole group (Ctrl-C) must not come before.
watch() {
  trap '' INT TERM HUP
  cat >/dev/null
  stop
}

main() {
  root=${2:-} certs=${3:-} base=${4:-}
  case $root in
    /* | '') ;;
    *) fail "ROOT has to be an absolute path" ;;
  esac
  case $1.$# in
    start.4) start ;;
    stop.2) stop ;;
    watch.2) watch ;;
    halt.2) halt ;;
    resume.2) resume ;;
    slay.2) slay ;;
    check.1) check ;;
    *) fail "usage: start ROOT CERTS BASEPORT | (stop | watch | halt | resume | slay) ROOT | check" ;;
  esac
}

# On one line: the shell must not read on should this file change meanwhile.
main "${@:-}"; exit
