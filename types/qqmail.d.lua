---@meta qqmail
-- Types for LuaLS: add this folder to `workspace.library`.

---@class qqmail
---@field _VERSION string
---@field _NAME string
---@field providers table<string, qqmail.Provider>
---@field testing table scripted SMTP server, see `qqmail.testing`
local qqmail = {}

---A mailbox: "Name <local@domain>", `{ "Name", "local@domain" }` or `{ name =, address = }`.
---@alias qqmail.Mailbox string | { [1]: string, [2]: string } | { name: string?, address: string }

---One mailbox, a comma separated list of them in a string, or a list.
---@alias qqmail.Mailboxes qqmail.Mailbox | qqmail.Mailbox[]

---Text or bytes: a string, a file, or a function that returns the next piece and nil at the end.
---@alias qqmail.Source string | { path: string } | fun(): string?

---A secret, or a function that returns it, called at each login.
---@alias qqmail.Secret string | fun(): string

---@class qqmail.Timeouts
---@field connect? number seconds for name, connection and TLS
---@field reply? number seconds for one reply
---@field final? number seconds for the verdict on a message
---@field total? number seconds for one call

---@class qqmail.TlsOptions
---@field ca_file? string
---@field ca_path? string
---@field verify? boolean
---@field server_name? string
---@field min_version? "1.2" | "1.3"
---@field cert? string
---@field key? string

---@class qqmail.OutboxOptions
---@field dir? string | false
---@field durable? boolean | "sync"
---@field max? integer mails in memory
---@field bytes? integer of mails in memory
---@field overflow? "spool" | "drop_oldest" | "refuse"
---@field drain? number seconds
---@field keep? number seconds

---@class qqmail.RetryOptions
---@field attempts? integer tries of one message, 1 to 100
---@field base? number seconds before the second try
---@field cap? number seconds that doubling leads to at most
---@field jitter? number seconds added by chance at most
---@field budget? number seconds of all waits together
---@field when_unknown? "stop" | "retry"

---@class qqmail.BreakerOptions
---@field failures? integer in a row that open it; 0: never
---@field pause? number seconds

---@class qqmail.Finding
---@field code string stable, such as "lint.subject_test"
---@field field string of the message
---@field severity "error" | "warning" | "advice"
---@field text string
---@field hint string what to do about it
---@field lang "zh" | "en"

---The worst first; `tostring` gives one line for each.
---@class qqmail.Findings
---@field [integer] qqmail.Finding
---@field counts { error: integer, warning: integer, advice: integer }

---@class qqmail.LintOptions
---@field provider? string | qqmail.Provider
---@field user? string the login
---@field size? number bytes the server takes
---@field bulk? boolean whether it is one of many

---@class qqmail.Hooks
---@field sent? fun(receipt: qqmail.Receipt)
---@field failed? fun(err: qqmail.Error)
---@field retry? fun(what: { message_id: string?, attempt: integer, delay: number, recipients: string[], err: qqmail.Error? })
---@field warning? fun(finding: qqmail.Finding, message: qqmail.Message)
---@field reply? fun(line: { host: string, t: number, code: integer?, text: string, line: string })
---@field state? fun(step: { host: string, t: number, from: string, to: string })

---@alias qqmail.LogLevel "error" | "warning" | "info" | "debug"

---@class qqmail.LogRecord
---@field time string UTC, as RFC 3339 writes it
---@field level qqmail.LogLevel
---@field event "sent" | "failed" | "rejected" | "retry" | "failover" | "connected" | "warning"
---@field text string
---@field message_id? string
---@field account? string the user
---@field host? string
---@field port? integer
---@field peer? string
---@field tls? string
---@field to? integer how many recipients
---@field recipient? string
---@field attempts? integer
---@field seconds? number
---@field delay? number
---@field queue_id? string
---@field reply? string
---@field kind? string
---@field code? string
---@field because? string
---@field phase? string
---@field delivered? "no" | "unknown"
---@field retry? "now" | "later" | "never"
---@field retry_after? number
---@field smtp_code? integer
---@field smtp_enhanced? string
---@field hint? string
---@field help_url? string
---@field key? string
---@field transcript? string[]

---What a user knows about an error of the server; all conditions must fit.
---@class qqmail.Rule
---@field text? string | string[] part of what the server says, in any case
---@field code? integer | "4xx" | "5xx" | (integer | "4xx" | "5xx")[]
---@field phase? string | string[]
---@field enhanced? string | string[]
---@field host? string | string[] the server connected to
---@field reason? string | string[] of a failure without a reply, such as "closed"
---@field as string the error's code, "kind.name"
---@field retry? "now" | "later" | "never"
---@field retry_after? number seconds
---@field hint? string | { en: string?, zh: string? }
---@field help_url? string

---@alias qqmail.DsnEvents "never" | "success" | "failure" | "delay" | ("success" | "failure" | "delay")[]

---Delivery reports to ask for (RFC 3461).
---@class qqmail.Dsn
---@field notify? qqmail.DsnEvents | table<string | integer, qqmail.DsnEvents> for all, or by recipient
---@field ret? "full" | "headers" what a report of a failure brings back
---@field envid? string printable ASCII, up to 100 characters
---@field orcpt? boolean | table<string, string> original addresses by recipient
---@field soft? boolean true: send without where the server offers none

---@class qqmail.DkimOptions
---@field domain string
---@field selector string
---@field key_file? string path of the private key (PEM), this or `key`
---@field key? string | fun(): string? PEM text
---@field passphrase? string | fun(): string?
---@field algorithm? "rsa-sha256" | "ed25519-sha256" default: from the key
---@field canonicalization? "relaxed/relaxed" | "relaxed/simple" | "simple/relaxed" | "simple/simple"
---@field headers? string[] further fields to sign
---@field oversign? boolean default: true
---@field identity? string on whose behalf, "user@domain" or "@domain"
---@field expires? number seconds

---@class qqmail.Options
---@field provider? string preset, such as "qq"
---@field url? string smtps://user:code@host:465
---@field host? string
---@field port? integer
---@field tls? "implicit" | "starttls" | "none"
---@field user? string
---@field password? qqmail.Secret
---@field token? string | fun(refused?: boolean): string OAuth2 access token
---@field auth? string | string[]
---@field allow_plaintext_auth? boolean
---@field from? qqmail.Mailbox
---@field reply_to? qqmail.Mailboxes
---@field headers? table<string, string>
---@field templates? string folder of templates
---@field smime? qqmail.Smime | false for messages without that field
---@field hostname? string EHLO name
---@field socket? string path of a Unix socket
---@field source_ip? string
---@field timeout? number | qqmail.Timeouts
---@field tls_options? qqmail.TlsOptions
---@field tls_provider? "engine" | "nginx"
---@field pool? { max: integer?, idle: number?, messages: integer? }
---@field rate? string | { [1]: integer, per: number } most messages in seconds
---@field outbox? string | false | qqmail.OutboxOptions
---@field retry? boolean | qqmail.RetryOptions
---@field failover? (qqmail.Options | string)[] | false further accounts
---@field breaker? boolean | qqmail.BreakerOptions
---@field window? integer
---@field chunking? boolean
---@field pipelining? boolean
---@field smtputf8? boolean
---@field dsn? qqmail.Dsn | false for messages that have none of their own
---@field io? "auto" | "blocking" | "ngx" | "cqueues" | "luv" | "memory" | { file: string } | { wait: function, sleep: function }
---@field on? qqmail.Hooks
---@field log? fun(level: qqmail.LogLevel, text: string, record: qqmail.LogRecord) | string "off", "stderr", "json:warning:/var/log/qqmail.log"
---@field lang? "zh" | "en"
---@field rules? qqmail.Rule[] tried before those of the library
---@field dkim? qqmail.DkimOptions | qqmail.DkimOptions[] | false signatures of each mail

---@class qqmail.Attachment
---@field message? qqmail.Message | qqmail.MessageSpec | { raw: qqmail.Source } attached as message/rfc822
---@field path? string a file, or a `data:` URL
---@field data? string
---@field read? fun(): string?
---@field name? string
---@field type? string
---@field size? integer

---@class qqmail.Calendar
---@field data? string iCalendar text
---@field path? string
---@field method? "PUBLISH" | "REQUEST" | "REPLY" | "ADD" | "CANCEL" | "REFRESH" | "COUNTER" | "DECLINECOUNTER"
---@field name? string of the file, default "invite.ics"
---@field attach? boolean false: no file beside the invitation

---@alias qqmail.Pem string | { path: string } | { data: string } path or PEM text

---@class qqmail.SmimeSigner
---@field cert qqmail.Pem certificate, with those of its authority behind it
---@field key? qqmail.Pem | fun(): qqmail.Pem private key, default: in `cert`
---@field passphrase? string | fun(): string of the key
---@field chain? qqmail.Pem further certificates

---@class qqmail.Smime
---@field sign? string | qqmail.SmimeSigner
---@field encrypt? qqmail.Pem | qqmail.Pem[] certificates of all who shall read it
---@field opaque? boolean the signature around the message, not beside it

---@class qqmail.MessageSpec
---@field from? qqmail.Mailbox
---@field sender? qqmail.Mailbox
---@field to? qqmail.Mailboxes
---@field cc? qqmail.Mailboxes
---@field bcc? qqmail.Mailboxes
---@field reply_to? qqmail.Mailboxes
---@field subject? string
---@field text? qqmail.Source | false made of `html` when missing, unless false
---@field html? qqmail.Source
---@field template? string | qqmail.MailTemplate name in the option `templates`, or a path
---@field vars? table variables of the template
---@field attachments? (string | qqmail.Attachment)[]
---@field inline? table<string, string | qqmail.Attachment> by Content-ID
---@field embed_images? string | { folder: string?, data_urls: boolean? } folder of the pictures that `html` names
---@field calendar? string | qqmail.Calendar an invitation, its answer or its withdrawal
---@field smime? qqmail.Smime | false signs or encrypts, see docs/smime.md
---@field headers? table<string, string | string[]> | { [1]: string, [2]: string }[]
---@field date? number
---@field id? string | number idempotency key: makes the Message-ID stable
---@field raw? qqmail.Source a complete message; `envelope`, else From, To, Cc and Bcc say where it goes, Resent fields do not
---@field in_reply_to? string | string[]
---@field references? string | string[]
---@field priority? "high" | "normal" | "low"
---@field charset? string | "auto" of the given texts, default "utf-8"
---@field list_unsubscribe? string | string[] | { url: string?, mailto: string?, one_click: boolean? }
---@field read_receipt? boolean | qqmail.Mailboxes where readers send a receipt to; true: the sender
---@field envelope? { from: qqmail.Mailbox?, to: qqmail.Mailboxes? }
---@field dsn? qqmail.Dsn | false
---@field require_tls? boolean true: over verified TLS on the whole way; false: not needed
---@field deadline? number seconds after which the message is not sent any more
---@field cancel? qqmail.Canceller | fun(): boolean? stops the sending when true

---@class qqmail.Reply
---@field code integer
---@field enhanced? string
---@field text string
---@field raw? string

---@class qqmail.Rejected
---@field address string
---@field code? integer nil where no answer is known
---@field enhanced? string
---@field text? string
---@field retry "now" | "later" | "never"
---@field retry_after? number seconds
---@field retry_is_guess? boolean
---@field delivered? "unknown" when a later try for it was cut off

---@class qqmail.Receipt
---@field message_id? string nil for a raw message without one
---@field queue_id? string
---@field accepted string[]
---@field rejected qqmail.Rejected[]
---@field reply qqmail.Reply
---@field attempts integer
---@field reused boolean
---@field host string
---@field port? integer
---@field account? string the user of the account that sent it
---@field seconds? number of the whole call
---@field peer? string
---@field tls? table version, cipher, resumed, the names of the certificate and the chain it came in
---@field dsn? boolean whether delivery reports were asked for; nil where nobody wanted them
---@field require_tls? boolean
---@field times table<string, number> seconds for each phase

---@class qqmail.Error
---@field kind "config" | "message" | "resolve" | "connect" | "tls" | "auth" | "sender" | "recipient" | "content" | "rate" | "timeout" | "protocol" | "reject" | "cancelled" | "closed" | "limit"
---@field code string stable, such as "auth.authorization_code_required"
---@field phase string
---@field delivered "no" | "unknown"
---@field retry "now" | "later" | "never"
---@field retry_after? number seconds
---@field retry_is_guess? boolean true where no rule of the provider asks for them
---@field not_tried? boolean true where a login was refused a while ago and not tried again
---@field smtp? qqmail.Reply
---@field recipients? qqmail.Rejected[]
---@field field? string the option or message field at fault
---@field position? integer where in the field, from 1
---@field message string the sentence without decoration
---@field hint string what to do about it
---@field help_url? string
---@field transcript { t: number, dir: string, line: string }[] seconds since the connection was begun, "C", "S" or "*"
---@field because? string code of the earlier error this one follows from
---@field cause? string why the function for a password or token gave none, in its words
---@field attempts? integer
---@field host? string of the server, where one was tried
---@field port? integer
---@field account? string the user
---@field message_id? string
---@field to? integer how many recipients
---@field seconds? number of the whole call
---@field template? string with codes template.*: the file or name
---@field line? integer of the template, from 1
---@field column? integer in characters, from 1
---@field variable? string that is missing or no text

---@class qqmail.Provider
---@field key string
---@field name { en: string, zh: string }
---@field domains string[]
---@field host string
---@field ports table[]
---@field auth string[]
---@field hosts { host: string, region: string? }[]
---@field secret string kind of password
---@field hint { en: string, zh: string } where the password comes from
---@field from_policy "login" | "alias" | "verified" | "any"
---@field size_limit? integer bytes
---@field rate? { en: string, zh: string }
---@field notes? { en: string, zh: string }
---@field help_url? string
---@field quirks table<string, any>

---@class qqmail.Mailer
local Mailer = {}

---Send one message and wait for the server's verdict.
---@param message qqmail.MessageSpec | qqmail.Message
---@return qqmail.Receipt? receipt
---@return qqmail.Error? err
function Mailer:send(message) end

---@class qqmail.Progress
---@field done integer
---@field total? integer nil for an iterator
---@field sent integer
---@field failed integer
---@field unknown integer
---@field waiting integer for another try
---@field seconds number
---@field per_second number
---@field left? number seconds, as far as can be told
---@field is_last? boolean

---@class qqmail.SendAllOptions
---@field on_result? fun(receipt: qqmail.Receipt?, err: qqmail.Error?, message: any, index: integer)
---@field on_progress? fun(state: qqmail.Progress)
---@field progress? boolean false: no bar on a terminal
---@field cancel? qqmail.Canceller | fun(): boolean

---@class qqmail.Summary
---@field total integer
---@field sent integer
---@field failed integer
---@field unknown integer
---@field rejected integer recipients of mails that were sent
---@field errors { index: integer, err: qqmail.Error }[] the first 100
---@field seconds number
---@field stopped boolean by `cancel`

---Send many messages over the mailer's connections; each has a result of its own.
---@param messages (qqmail.MessageSpec | qqmail.Message)[] | fun(): (qqmail.MessageSpec | qqmail.Message)?
---@param options? qqmail.SendAllOptions
---@return qqmail.Summary? summary
---@return qqmail.Error? err nothing was sent
function Mailer:send_all(messages, options) end

---Hand one message over and return at once; it is sent by the nginx worker, or by `flush`.
---@param message qqmail.MessageSpec | qqmail.Message
---@return string | true | nil message_id
---@return qqmail.Error? err
function Mailer:notify(message) end

---Wait until all that was handed over has its verdict.
---@param seconds? number at most
---@return { sent: integer, failed: integer, waiting: integer }? summary
---@return qqmail.Error? err
function Mailer:flush(seconds) end

---For init_worker_by_lua: send what a former process left in the outbox.
---@return true? ok
---@return qqmail.Error? err
function Mailer:start() end

---Counts.
---@return { sent: integer, failed: integer, unknown: integer, retries: integer, failovers: integer, opened: integer, reused: integer, hook_errors: integer, connections: { used: integer, idle: integer }, breakers: string[], outbox: table<string, integer>? }
function Mailer:stats() end

---@class qqmail.CheckOptions
---@field to? qqmail.Mailboxes asked about without a mail
---@field send? boolean send one mail, to `to` or to the account itself
---@field lang? "zh" | "en"
---@field account? integer 1, or one of `failover`
---@field on_step? fun(step: qqmail.CheckStep, report: qqmail.CheckReport)

---@class qqmail.CheckNote
---@field status "ok" | "warning"
---@field text string
---@field hint? string
---@field code? string

---@class qqmail.CheckStep
---@field name "settings" | "code" | "from" | "dns" | "connect" | "tls" | "greeting" | "ehlo" | "auth" | "envelope" | "mail"
---@field status "ok" | "warning" | "failed" | "skipped"
---@field seconds? number
---@field text string
---@field hint? string
---@field help_url? string
---@field code? string of the error or warning
---@field details table
---@field notes qqmail.CheckNote[]

---@class qqmail.CheckReport
---@field [integer] qqmail.CheckStep
---@field ok boolean
---@field error? qqmail.Error what a mail would get
---@field not_reached string[] names of the steps behind the failed one
---@field lang "zh" | "en"
---@field version string
---@field host? string
---@field port? integer
---@field tls? string
---@field user? string
---@field seconds? number
local Report = {}

---One step.
---@param name string
---@return qqmail.CheckStep?
function Report:step(name) end

---Plain tables, for JSON.
---@return table
function Report:plain() end

---The doctor: which step fails, and what to do. One login at most.
---@param what? qqmail.CheckOptions
---@return qqmail.CheckReport? report
---@return qqmail.Error? err `what` is wrong
function Mailer:check(what) end

---Close the connections. The mailer cannot be used after that.
function Mailer:close() end

---@class qqmail.Message
---@field id string the Message-ID
---@field envelope { from: string, to: string[] }
---@field deadline? number
---@field cancel? { cancelled: boolean } | fun(): boolean?
---@field guessed? table<string, "utf-8" | "gb18030" | "big5" | "big5-hkscs"> by field, of charset = "auto"
local Message = {}

---Bytes of the message as it would be sent.
---@return integer? size nil when a reader does not tell
function Message:size() end

---Iterate over the message in pieces.
---@param bytes? integer
---@return fun(): string?
function Message:chunks(bytes) end

---The whole message; `tostring` raises where this gives an error.
---@param most? integer if there are not to be more
---@return string? bytes nil without an error: there are more
---@return qqmail.Error? err
function Message:bytes(most) end

---Write the message to an open file, or to anything else with a method `write`.
---@param file file* | { write: fun(self, bytes: string): any, string? }
---@return true? ok
---@return qqmail.Error? err
function Message:write(file) end

---Write the message to a file, which is there whole or not at all.
---@param path string
---@return true? ok
---@return qqmail.Error? err
function Message:save(path) end

---What servers are likely to refuse, filters to punish and readers to show badly.
---@param provider? string | qqmail.Provider | qqmail.LintOptions
---@return qqmail.Findings? findings
---@return qqmail.Error? err
function Message:lint(provider) end

---Send one message through the default mailer, made from the environment.
---@param message qqmail.MessageSpec | qqmail.Message
---@return qqmail.Receipt? receipt
---@return qqmail.Error? err
function qqmail.send(message) end

---Make a mailer. No traffic yet.
---@param options? qqmail.Options | string options or a URL
---@return qqmail.Mailer? mailer
---@return qqmail.Error? err
function qqmail.new(options) end

---For init_by_lua: a mailer, its settings checked; raises on a wrong one.
---@param options? qqmail.Options | string
---@return qqmail.Mailer mailer
function qqmail.setup(options) end

---Build a message without sending it.
---@param spec qqmail.MessageSpec
---@return qqmail.Message? message
---@return qqmail.Error? err
function qqmail.message(spec) end

---@class qqmail.Canceller
---@field cancelled boolean
local Canceller = {}

---Stop every send that has it as `cancel`.
function Canceller:cancel() end

---Something that stops sends from outside.
---@return qqmail.Canceller
function qqmail.canceller() end

qqmail.errors = {}

---The dialogue that led to an error, to be printed; secrets masked.
---@param err qqmail.Error
---@return string lines "" when nothing was tried
function qqmail.errors.transcript(err) end

---Where log records go: functions for the option `log`.
qqmail.log = {}

---@alias qqmail.LogSink string | file* | fun(line: string)

---Write each record as one line of JSON.
---@param sink qqmail.LogSink "stderr", "stdout", a path, an open file or a function
---@param level? qqmail.LogLevel default "info"
---@return fun(level: qqmail.LogLevel, text: string, record: qqmail.LogRecord)
function qqmail.log.json(sink, level) end

---Write each record as one line for people.
---@param sink qqmail.LogSink
---@param level? qqmail.LogLevel
---@return fun(level: qqmail.LogLevel, text: string, record: qqmail.LogRecord)
function qqmail.log.text(sink, level) end

---Mustache templates, see docs/templates.md.
qqmail.template = {}

---@class qqmail.Template
local Template = {}

---@param vars? table | string | number | boolean
---@param partials? table<string, string | qqmail.Template>
---@return string? text
---@return qqmail.Error? err
function Template:render(vars, partials) end

---@class qqmail.MailTemplate
local MailTemplate = {}

---@param vars? table
---@return { subject: string?, text: string?, html: string? }? parts
---@return qqmail.Error? err
function MailTemplate:render(vars) end

---@class qqmail.TemplateFolder
local TemplateFolder = {}

---@param name string such as "welcome" or "orders/shipped"
---@return qqmail.MailTemplate? template
---@return qqmail.Error? err
function TemplateFolder:get(name) end

---@param name string
---@param vars? table
---@return { subject: string?, text: string?, html: string? }? parts
---@return qqmail.Error? err
function TemplateFolder:render(name, vars) end

---@class qqmail.TemplateOptions
---@field name? string for errors
---@field escape? "html" | "none"
---@field strict? boolean default true: a missing variable is an error
---@field partials? table<string, string | qqmail.Template>
---@field lang? "zh" | "en"

---@param text string
---@param options? qqmail.TemplateOptions
---@return qqmail.Template? template
---@return qqmail.Error? err
function qqmail.template.compile(text, options) end

---Compile and render at once.
---@param text string
---@param vars? table | string | number | boolean
---@param options? qqmail.TemplateOptions
---@return string? text
---@return qqmail.Error? err
function qqmail.template.render(text, vars, options) end

---A folder of templates; compiled when first used, then kept.
---@param path string
---@param options? { strict: boolean?, reload: boolean?, lang: ("zh" | "en")? }
---@return qqmail.TemplateFolder? folder
---@return qqmail.Error? err
function qqmail.template.folder(path, options) end

---The template of a mail from strings.
---@param parts { subject: string?, text: string?, html: string? }
---@param options? { partials: table<string, string | qqmail.Template>?, strict: boolean?, lang: ("zh" | "en")? }
---@return qqmail.MailTemplate? template
---@return qqmail.Error? err
function qqmail.template.mail(parts, options) end

---The settings that would be used, secrets masked, each with its origin.
---@param options? qqmail.Options | string
---@return table? settings
---@return qqmail.Error? err
function qqmail.config(options) end

return qqmail
