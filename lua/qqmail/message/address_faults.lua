--- What is wrong with an address, in Chinese: the core says it in English.
-- @module qqmail.message.address_faults

-- By what the core says, the rest of a sentence whose subject is the address.
return {
  ["has no '@'"] = "缺少 @",
  ["has nothing before the '@'"] = "@ 前没有内容",
  ["has nothing after the '@'"] = "@ 后没有内容",
  ["has more than one '@'"] = "有多个 @",
  ["has nothing before the '@' (source routes are not supported)"]
    = "@ 前没有内容（不支持源路由）",
  ["has a blank before the '@'; put '<' and '>' around an address that follows a name"]
    = "@ 前有空格；地址跟在名称之后时，请用 < 和 > 括起",
  ["has a blank or a comment inside the address"] = "地址中间有空格或注释",
  ["contains a character that is not allowed before the '@'"] = "@ 前有不允许的字符",
  ["contains a character that is not allowed after the '@'"] = "@ 后有不允许的字符",
  ["has quotes that do not enclose all that stands before the '@'"]
    = "引号没有括住 @ 前的全部内容",
  ["has a dot at the start, at the end or twice in a row before the '@'"]
    = "@ 前的部分以点开头或结尾，或有连续两个点",
  ["has a dot at the start, at the end or twice in a row after the '@'"]
    = "@ 后的部分以点开头或结尾，或有连续两个点",
  ["has a hyphen at the start or at the end of a domain label"] = "域名中有一段以连字符开头或结尾",
  ["has more than 64 bytes before the '@'"] = "@ 前超过 64 字节",
  ["has more than 255 bytes after the '@'"] = "@ 后超过 255 字节",
  ["has a domain label of more than 63 characters"] = "域名中有一段超过 63 个字符",
  ["is longer than 254 bytes"] = "超过 254 字节",
  ["has brackets that hold no IP address ([192.0.2.1], [IPv6:2001:db8::1])"]
    = "方括号内不是 IP 地址（应如 [192.0.2.1]、[IPv6:2001:db8::1]）",
  ["needs quotes around a display name with special characters"]
    = "显示名含有特殊字符，需要加引号",
  ["has a quote without an end"] = "引号没有结束",
  ["has a '(' without a ')'"] = "( 没有对应的 )",
  ["has a '<' without a '>'"] = "< 没有对应的 >",
  ["has nothing between '<' and '>'"] = "< 与 > 之间没有内容",
  ["needs a comma between two addresses"] = "两个地址之间需要逗号",
  ["has a semicolon; separate addresses with a comma"] = "有分号；请用逗号分隔地址",
  ["has a group (name: ...) that is not closed by a ';'"] = "地址组（名称: …）没有以 ; 结束",
  ["has a ':' without a group name before it"] = "冒号前没有地址组的名称",
  ["has a group inside a group"] = "地址组中又有地址组",
  ["contains a control character"] = "含有控制字符",
  ["contains a full-width '@'; type the ASCII character"] = "含有全角 ＠；请改用半角 @",
  ["contains a full-width comma; separate addresses with an ASCII comma"]
    = "含有全角逗号或顿号；请用半角逗号分隔地址",
  ["contains a full-width semicolon; separate addresses with an ASCII comma"]
    = "含有全角分号；请用半角逗号分隔地址",
  ["contains a full-width or ideographic dot; type the ASCII character"]
    = "含有全角的点或中文句号；请改用半角的点",
  ["contains a full-width character; type its ASCII form"] = "含有全角字符；请改用半角",
  ["contains a non-ASCII blank or an invisible character"] = "含有全角空格或不可见字符",
  ["contains a character that has no place in an address"] = "含有地址中不能出现的字符",
  ["is not valid UTF-8"] = "不是合法的 UTF-8",
  ["is empty"] = "为空",
}
