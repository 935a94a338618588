--- What the preflight says: by code the usual severity, the sentence and the advice.
-- `{name}` stands for a value the rule gives. A rule may choose another severity, where
-- a provider is known to refuse what others let pass.
-- @module qqmail.lint.texts

local M = {}

-- --- sender -----------------------------------------------------------------------

M["lint.from_missing"] = { severity = "error",
  en = "there is no From field", zh = "缺少 From 字段",
  hint = { en = "Every message needs one (RFC 5322 section 3.6); QQ and Gmail refuse it without.",
    zh = "每封邮件都必须有 From（RFC 5322 第 3.6 节），QQ 和 Gmail 会拒收缺少它的邮件。" } }

M["lint.from_form"] = { severity = "warning",
  en = "the From field is not a name followed by an ASCII address in angle brackets",
  zh = "From 字段不是“名称 <ASCII 地址>”的形式",
  hint = { en = "Encode the name alone, never the address, and put one blank before `<`.",
    zh = "只编码名称，不要编码地址，并在 < 前留一个空格。" } }

M["lint.from_not_ascii"] = { severity = "warning",
  en = "the address of the sender is not ASCII", zh = "发件人地址含有非 ASCII 字符",
  hint = { en = "Few servers take such a sender (SMTPUTF8); use an address in ASCII.",
    zh = "很少有服务器接受这样的发件人（需要 SMTPUTF8），请改用 ASCII 地址。" } }

M["lint.from_name_address"] = { severity = "warning",
  en = "the sender's name holds an address ({name})", zh = "发件人名称中含有邮箱地址（{name}）",
  hint = { en = "Filters take it for a forged sender; give a plain name.",
    zh = "过滤器会把它当作伪造的发件人，请只写名称。" } }

M["lint.from_not_login"] = { severity = "warning",
  en = "From is {from}, but the login is {user}", zh = "From 是 {from}，而登录账号是 {user}",
  hint = { en = "{provider} takes mail only from the address that logs in{answer}; put the other "
    .. "one into reply_to.",
    zh = "{provider} 只接受以登录地址为发件人的邮件{answer}；另一个地址请放在 reply_to。" } }

M["lint.from_alias"] = { severity = "advice",
  en = "From is {from}, but the login is {user}", zh = "From 是 {from}，而登录账号是 {user}",
  hint = { en = "{provider} takes it only where it is registered as an alias of the account.",
    zh = "只有已登记为该账号别名的地址才会被 {provider} 接受。" } }

M["lint.from_not_of_provider"] = { severity = "warning",
  en = "From is {from}, which is no address of {provider}", zh = "From 是 {from}，不是 {provider} 的地址",
  hint = { en = "{provider} takes mail only from the address that logs in{answer}.",
    zh = "{provider} 只接受以登录地址为发件人的邮件{answer}。" } }

M["lint.from_unverifiable"] = { severity = "warning",
  en = "From is {from}, an address of {home}", zh = "From 是 {from}，属于 {home}",
  hint = { en = "{provider} wants a sender you have verified there, and receivers refuse such an "
    .. "address from other servers; use one of your own domain.",
    zh = "{provider} 要求使用已验证的发件人，收件方也会拒收由其他服务器代发的此类地址；请使用自有域名的地址。" } }

M["lint.sender_not_login"] = { severity = "warning",
  en = "Sender is {from}, but the login is {user}", zh = "Sender 是 {from}，而登录账号是 {user}",
  hint = { en = "Leave `sender` out, or use the address that logs in{answer}.",
    zh = "请去掉 sender，或使用登录地址{answer}。" } }

M["lint.envelope_not_login"] = { severity = "warning",
  en = "the sender of the envelope is {from}, but the login is {user}",
  zh = "信封发件人是 {from}，而登录账号是 {user}",
  hint = { en = "Leave `envelope.from` out, or use the address that logs in{answer}.",
    zh = "请去掉 envelope.from，或使用登录地址{answer}。" } }

M["lint.envelope_not_from"] = { severity = "error",
  en = "the sender of the envelope ({envelope}) is not that of From ({from})",
  zh = "信封发件人（{envelope}）与 From（{from}）不一致",
  hint = { en = "{provider} refuses that (554 DT:SUM); use the same address for both.",
    zh = "{provider} 会以 554 DT:SUM 拒收，请两处使用同一地址。" } }

-- --- recipients -------------------------------------------------------------------

M["lint.recipient_not_ascii"] = { severity = "warning",
  en = "the address {address} is not ASCII", zh = "地址 {address} 含有非 ASCII 字符",
  hint = { en = "It can be sent only where every server on the way offers SMTPUTF8.",
    zh = "只有沿途服务器都支持 SMTPUTF8 时才能送达。" } }

M["lint.recipients_visible"] = { severity = "advice",
  en = "{count} recipients see each other's addresses", zh = "{count} 位收件人能看到彼此的地址",
  hint = { en = "Put them into bcc, or send each a mail of its own with send_all.",
    zh = "请改用 bcc，或用 send_all 逐个发送。" } }

M["lint.too_many_recipients"] = { severity = "advice",
  en = "the mail has {count} recipients; {limit} is what a server must take",
  zh = "收件人有 {count} 个，而服务器只保证接受 {limit} 个",
  hint = { en = "Split them over several mails (RFC 5321 section 4.5.3.1.8).",
    zh = "请分成几封发送（RFC 5321 第 4.5.3.1.8 节）。" } }

M["lint.copies_unsupported"] = { severity = "warning",
  en = "{provider} does not take a Cc field", zh = "{provider} 不支持 Cc 字段",
  hint = { en = "Put everybody into to, or send several mails.", zh = "请都写在 to 中，或分别发送。" } }

M["lint.reply_to_unsupported"] = { severity = "warning",
  en = "{provider} does not take a Reply-To field", zh = "{provider} 不支持 Reply-To 字段",
  hint = { en = "Leave reply_to out.", zh = "请去掉 reply_to。" } }

M["lint.bulk_unsubscribe"] = { severity = "warning",
  en = "a mail to many has no List-Unsubscribe", zh = "群发邮件没有 List-Unsubscribe",
  hint = { en = "Give list_unsubscribe an https and a mailto URL; Gmail and Yahoo ask it of "
    .. "everybody who sends to many.",
    zh = "请在 list_unsubscribe 中给出 https 和 mailto 地址；Gmail 和雅虎对群发邮件有此要求。" } }

M["lint.bulk_one_click"] = { severity = "advice",
  en = "a mail to many cannot be unsubscribed with one click", zh = "群发邮件不支持一键退订",
  hint = { en = "Gmail and Yahoo ask for it: give list_unsubscribe an https URL (RFC 8058).",
    zh = "Gmail 和雅虎有此要求：请在 list_unsubscribe 中加入 https 地址（RFC 8058）。" } }

-- --- header -----------------------------------------------------------------------

M["lint.subject_missing"] = { severity = "warning",
  en = "there is no subject", zh = "没有主题",
  hint = { en = "Filters count that against a mail.", zh = "反垃圾系统会因此扣分。" } }

M["lint.subject_test"] = { severity = "advice",
  en = 'the subject is only "{subject}"', zh = "主题只有“{subject}”",
  hint = { en = "NetEase (554 DT:SPM) and QQ (550) refuse such mails as spam; say what "
    .. "it is about.",
    zh = "网易（554 DT:SPM）和 QQ（550）会把它当作垃圾邮件拒收，请写明内容。" } }

M["lint.subject_long"] = { severity = "advice",
  en = "the subject is {columns} columns wide", zh = "主题宽 {columns} 列",
  hint = { en = "Mail programs show about 60; put the rest into the text.",
    zh = "邮件程序大约只显示 60 列，其余请写入正文。" } }

M["lint.date_off"] = { severity = "warning",
  en = "Date is {days} days away from now", zh = "Date 与当前时间相差 {days} 天",
  hint = { en = "Such mails are sorted to where nobody looks, and filters count it against them; "
    .. "check the clock, or leave `date` out.",
    zh = "邮件会排到看不见的位置，也会被反垃圾系统扣分；请检查时钟，或去掉 date。" } }

M["lint.date_missing"] = { severity = "warning",
  en = "there is no Date that can be read", zh = "缺少可识别的 Date 字段",
  hint = { en = "Add one as of RFC 5322 section 3.3; some servers drop a mail without.",
    zh = "请按 RFC 5322 第 3.3 节添加，有的服务器会丢弃没有 Date 的邮件。" } }

M["lint.message_id_missing"] = { severity = "warning",
  en = "there is no Message-ID", zh = "没有 Message-ID",
  hint = { en = "Add one; Gmail refuses mails without, others drop them.",
    zh = "请添加：Gmail 会拒收，有的服务器会丢弃。" } }

M["lint.duplicate_field"] = { severity = "error",
  en = "{name} is there {count} times", zh = "{name} 出现了 {count} 次",
  hint = { en = "It may stand once (RFC 5322 section 3.6); Gmail refuses such a mail.",
    zh = "只能出现一次（RFC 5322 第 3.6 节），Gmail 会拒收。" } }

M["lint.header_not_ascii"] = { severity = "warning",
  en = "{name} holds bytes that are not ASCII", zh = "{name} 含有未编码的非 ASCII 字节",
  hint = { en = "Encode them (RFC 2047); QQ and Gmail refuse them as they are.",
    zh = "请按 RFC 2047 编码，QQ 和 Gmail 会拒收未编码的内容。" } }

M["lint.encoded_word_long"] = { severity = "advice",
  en = "{name} holds an encoded word longer than 75 characters", zh = "{name} 中有超过 75 个字符的编码字",
  hint = { en = "Split it between characters (RFC 2047 section 2); some readers show it raw.",
    zh = "请在字符边界处拆分（RFC 2047 第 2 节），否则有的邮件程序会原样显示。" } }

M["lint.encoded_word_quoted"] = { severity = "advice",
  en = "{name} holds an encoded word inside quotes", zh = "{name} 中的编码字写在引号内",
  hint = { en = "Take the quotes away (RFC 2047 section 5); strict readers show it raw.",
    zh = "请去掉引号（RFC 2047 第 5 节），严格的邮件程序会原样显示。" } }

M["lint.bare_cr"] = { severity = "warning",
  en = "the message holds a CR without LF (at byte {position})", zh = "邮件中有单独的 CR（第 {position} 字节）",
  hint = { en = "It becomes a line end when the mail is sent.", zh = "发送时会变成换行。" } }

-- --- S/MIME -----------------------------------------------------------------------

M["lint.smime_signer"] = { severity = "warning",
  en = "From is {from}, but the certificate that signs is for {address}",
  zh = "From 是 {from}，而签名证书属于 {address}",
  hint = { en = "Readers show such a signature as invalid; sign with a certificate for that "
    .. "address.",
    zh = "收件方会把这样的签名显示为无效；请使用属于该地址的证书签名。" } }

M["lint.smime_reader"] = { severity = "warning",
  en = "no certificate is for {address}, which may be unable to read the message",
  zh = "没有属于 {address} 的证书，对方可能无法阅读该邮件",
  hint = { en = "Add the certificate of each recipient to smime.encrypt.",
    zh = "请把每位收件人的证书加入 smime.encrypt。" } }

M["lint.smime_hidden"] = { severity = "warning",
  en = "{address} is a hidden recipient, but the encrypted message names the certificate",
  zh = "{address} 是密送收件人，但加密邮件会列出其证书",
  hint = { en = "All others can see it there; send hidden recipients a message of their own.",
    zh = "其他收件人可以由此看出；请为密送收件人单独发送一封。" } }

-- --- size and texts ---------------------------------------------------------------

M["lint.too_large"] = { severity = "error",
  en = "the mail has {size} bytes, the server takes {limit}",
  zh = "邮件有 {size} 字节，服务器最多接受 {limit} 字节",
  hint = { en = "Compress the attachments, or share a link instead; encoding makes them a third "
    .. "larger.",
    zh = "请压缩附件，或改用链接分享；编码后体积会增大约三分之一。" } }

M["lint.large"] = { severity = "advice",
  en = "the mail has {size} bytes", zh = "邮件有 {size} 字节",
  hint = { en = "Many receivers take less ({limit} at Gmail); share a link instead.",
    zh = "许多收件方的上限更低（Gmail 为 {limit}），建议改用链接分享。" } }

M["lint.size_unknown"] = { severity = "advice",
  en = "the size is not known before the mail is sent", zh = "发送前无法得知邮件大小",
  hint = { en = "Give `size` beside `read`, so that the server can be asked first.",
    zh = "请在 read 旁给出 size，以便先行询问服务器。" } }

M["lint.body_empty"] = { severity = "warning",
  en = "the mail has no text", zh = "邮件没有正文",
  hint = { en = "Filters count that against a mail; write a sentence.",
    zh = "反垃圾系统会因此扣分，请写上一句话。" } }

M["lint.no_text"] = { severity = "advice",
  en = "there is HTML without a plain text beside it", zh = "只有 HTML，没有纯文本正文",
  hint = { en = "Some readers and filters see nothing else: write `text`, or drop `text = false`.",
    zh = "有的读者和过滤器只看纯文本：请写上 text，或去掉 text = false 以自动生成。" } }

M["lint.charset_guessed"] = { severity = "advice",
  en = "was taken for {charset}, a guess", zh = "被猜测为 {charset} 编码",
  hint = { en = "Short texts can be guessed wrong; give UTF-8, or name the `charset`.",
    zh = "文本很短时可能猜错；请给出 UTF-8，或写明 charset。" } }

M["lint.html_images_only"] = { severity = "warning",
  en = "the HTML holds images and no words", zh = "HTML 中只有图片，没有文字",
  hint = { en = "Filters take it for spam, and images are often not shown; say it in words too.",
    zh = "容易被判为垃圾邮件，且图片常常不显示；请同时写上文字。" } }

M["lint.mojibake"] = { severity = "warning",
  en = 'holds "{sign}", a sign of text that was decoded wrongly', zh = "含有“{sign}”，像是乱码",
  hint = { en = "Somewhere before, bytes were read in the wrong charset.",
    zh = "文本此前可能被按错误的编码读取。" } }

M["lint.invisible"] = { severity = "warning",
  en = "holds an invisible character ({sign})", zh = "含有不可见字符（{sign}）",
  hint = { en = "It was pasted by accident, or hides something: filters think the latter.",
    zh = "多半是误粘贴的，过滤器则会怀疑有意隐藏内容。" } }

M["lint.placeholder"] = { severity = "warning",
  en = "holds {sign}, which nobody has filled in", zh = "含有未填充的占位符 {sign}",
  hint = { en = "Check the template and its values.", zh = "请检查模板及其变量。" } }

M["lint.lua_value"] = { severity = "warning",
  en = 'holds "{sign}", the address of a Lua value', zh = "含有 Lua 值的地址“{sign}”",
  hint = { en = "A table or function was written where its content was meant.",
    zh = "直接输出了表或函数，而不是其中的内容。" } }

-- --- HTML -------------------------------------------------------------------------

M["lint.html_remote_image"] = { severity = "advice",
  en = "images from other servers: {count}", zh = "有 {count} 张图片来自外部服务器",
  hint = { en = "QQ and others show them only on demand; use `inline`, or give them an `alt`.",
    zh = "QQ 邮箱等默认不显示外部图片；请用 inline 内嵌，或写上 alt。" } }

M["lint.html_data_image"] = { severity = "warning",
  en = "images written as data: URIs: {count}", zh = "有 {count} 张图片使用 data: URI",
  hint = { en = "Gmail and others drop them; use `inline` and cid: instead.",
    zh = "Gmail 等会丢弃；请改用 inline 和 cid:。" } }

M["lint.html_script"] = { severity = "warning",
  en = "the HTML holds a script", zh = "HTML 中含有脚本",
  hint = { en = "No reader runs it, and filters refuse it.", zh = "邮件程序不会执行，还会被过滤器拦截。" } }

M["lint.html_form"] = { severity = "warning",
  en = "the HTML holds a form", zh = "HTML 中含有表单",
  hint = { en = "Most readers disable it, filters think of phishing; link to a page instead.",
    zh = "多数邮件程序会禁用，且易被判为钓鱼；请改为链接到网页。" } }

M["lint.html_stylesheet"] = { severity = "advice",
  en = "the HTML loads a style sheet", zh = "HTML 引用了外部样式表",
  hint = { en = "Readers do not load it; write the styles inside.", zh = "邮件程序不会加载，请改用内联样式。" } }

M["lint.html_link_host"] = { severity = "warning",
  en = "a link shows {shown} and leads to {host}", zh = "链接文字是 {shown}，实际指向 {host}",
  hint = { en = "Filters take it for phishing; show the true host, or words.",
    zh = "会被判为钓鱼；请显示真实域名，或改用文字。" } }

M["lint.cid_missing"] = { severity = "warning",
  en = 'the HTML shows cid:{cid}, and `inline` has no part "{cid}"',
  zh = "HTML 引用了 cid:{cid}，但 inline 中没有它",
  hint = { en = "Add the part, or correct the name.", zh = "请添加该内嵌部分，或更正名称。" } }

M["lint.cid_unused"] = { severity = "advice",
  en = 'the HTML nowhere refers to cid:{cid}', zh = "HTML 没有引用 cid:{cid}",
  hint = { en = "Readers show it as an attachment; refer to it, or move it to attachments.",
    zh = "会被显示为附件；请在 HTML 中引用，或移到 attachments。" } }

M["lint.inline_filtered"] = { severity = "advice",
  en = "the mail has inline images", zh = "邮件含有内嵌图片",
  hint = { en = "{provider} has refused some of these as spam (554 DT:SPM); keep them few.",
    zh = "{provider} 有时会以 554 DT:SPM 拒收此类邮件，请尽量少用。" } }

M["lint.inline_unsupported"] = { severity = "warning",
  en = "{provider} does not take inline parts", zh = "{provider} 不支持内嵌部分",
  hint = { en = "Link to the images, or attach them.", zh = "请改用图片链接，或作为附件发送。" } }

-- --- attachments ------------------------------------------------------------------

M["lint.attachment_refused"] = { severity = "warning",
  en = '"{name}" can be run: {extension} files are refused by Gmail, NetEase and others',
  zh = "“{name}”是可执行文件：Gmail、网易等会拒收 {extension} 附件",
  hint = { en = "Share a link instead; Gmail looks into archives as well.",
    zh = "请改用链接分享；Gmail 连压缩包内也会检查。" } }

M["lint.attachment_no_extension"] = { severity = "advice",
  en = '"{name}" has no extension', zh = "“{name}”没有扩展名",
  hint = { en = "Readers cannot tell what opens it.", zh = "收件人的系统无法判断用什么打开。" } }

M["lint.attachment_name_long"] = { severity = "advice",
  en = "the name has {count} bytes", zh = "文件名有 {count} 字节",
  hint = { en = "Some readers cut it or replace it; stay below {limit}.",
    zh = "有的邮件程序会截断或替换，请控制在 {limit} 字节以内。" } }

M["lint.attachment_name_characters"] = { severity = "warning",
  en = '"{name}" holds {sign}, which Windows does not allow in names',
  zh = "“{name}”中的 {sign} 不能用于 Windows 文件名",
  hint = { en = "Replace it, or the file arrives under another name.", zh = "请替换，否则收到的文件名会改变。" } }

M["lint.attachment_name_end"] = { severity = "warning",
  en = '"{name}" begins or ends with a blank, or ends with a dot', zh = "“{name}”首尾有空格，或以点结尾",
  hint = { en = "Windows cuts that off; correct the name.", zh = "Windows 会去掉它们，请更正文件名。" } }

M["lint.attachment_name_direction"] = { severity = "warning",
  en = "the name turns the direction of writing ({sign})", zh = "文件名含有改变书写方向的字符（{sign}）",
  hint = { en = "That hides the true extension; filters refuse it.", zh = "它会掩盖真实扩展名，会被过滤器拦截。" } }

M["lint.attachment_type"] = { severity = "warning",
  en = '"{name}" is declared as {type}', zh = "“{name}”的类型声明为 {type}",
  hint = { en = "Name and type should agree; leave `type` out to have it guessed.",
    zh = "名称与类型应当一致；去掉 type 可自动推断。" } }

M["lint.attachment_empty"] = { severity = "warning",
  en = "the attachment is empty", zh = "附件是空的",
  hint = { en = "Some servers drop the part; check how the file was made.",
    zh = "有的服务器会丢弃它，请检查文件的生成过程。" } }

M["lint.attachment_twice"] = { severity = "advice",
  en = '"{name}" is attached twice', zh = "“{name}”附加了两次",
  hint = { en = "Give the second one another name.", zh = "请给第二个换个名称。" } }

return M
