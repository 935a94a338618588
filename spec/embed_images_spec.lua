-- Pictures that HTML names: which of them go with the mail, and which never do.

local messages = require "spec.support.messages"
local qqmail = require "qqmail"
local shell = require "spec.support.shell"

local build, read, refused = messages.build, messages.read, messages.refused

local root, remove

local function put(name, text)
  shell.write(root .. "/" .. name, text or name)
end

local function embed(html, options)
  return build({ text = false, html = html, embed_images = options or root .. "/a" })
end

-- The HTML with the number of the part for each content id, and the parts.
local function seen(built)
  local facts = read(built)
  local html, parts, numbers = facts.parts[1].text, {}, {}
  for index = 2, #facts.parts do
    local part = facts.parts[index]
    assert.equal("inline", part.disposition)
    numbers["cid:" .. part.cid:match("^<(.*)>$")] = tostring(index - 1)
    parts[index - 1] = ("%s %s"):format(part.name, part.type)
  end
  html = html:gsub("cid:[%w%.]+@qqmail", function(url)
    return "#" .. assert(numbers[url])
  end)
  return html, parts, facts
end

before_each(function()
  root, remove = shell.folder()
  shell.run(("mkdir -p %s/a/sub"):format(root))
  put("a/logo.png")
  put("a/sub/b c.gif")
  put("a/头像.jpg")
  put("a/notes.txt")
  put("outside.png")
end)

after_each(function()
  remove()
end)

describe("embed_images", function()
  it("makes parts of the pictures of a folder", function()
    local html, parts, facts = seen(embed('<p><img alt="x" src="logo.png">'
      .. '<IMG SRC=\'sub/b%20c.gif\'>'
      .. '<img src=头像.jpg><input type=image src="./logo.png?v=2&amp;w=1#x"></p>'))
    assert.equal('<p><img alt="x" src="#1"><IMG SRC=\'#2\'><img src=#3>'
      .. '<input type=image src="#1"></p>', html)
    assert.same({ "logo.png image/png", "b c.gif image/gif", "头像.jpg image/jpeg" }, parts)
    assert.equal("related(text/html,image/png,image/gif,image/jpeg)", facts.structure)
    assert.same({ #"a/logo.png", #"a/sub/b c.gif" }, { facts.parts[2].size, facts.parts[3].size })
  end)

  it("finds backgrounds and styles", function()
    local html, parts = seen(embed('<style>a{b:url(sub/b%20c.gif)} @font-face{src:url(f.woff)}'
      .. '</style><body background="/logo.png" style="background:url(&quot;logo.png&quot;)">'
      .. "<td style='x:url(\"//x.org/a.png\") url( notes.txt )'>"))
    assert.equal('<style>a{b:url(#1)} @font-face{src:url(f.woff)}</style><body background="#2" '
      .. 'style="background:url(&quot;#2&quot;)"><td style=\'x:url("//x.org/a.png") '
      .. "url( notes.txt )'>", html)
    assert.same({ "b c.gif image/gif", "logo.png image/png" }, parts)
  end)

  it("finds sets of pictures", function()
    local html, parts = seen(embed('<picture><source srcset="sub/b%20c.gif 2x, /logo.png">'
      .. "<img srcset='logo.png, https://x.org/a.png 2x,头像.jpg 3x' src=logo.png></picture>"))
    assert.equal('<picture><source srcset="#1 2x, #2">'
      .. "<img srcset='#2, https://x.org/a.png 2x,#3 3x' src=#2></picture>", html)
    assert.same({ "b c.gif image/gif", "logo.png image/png", "头像.jpg image/jpeg" }, parts)
    refused({ html = '<img src="logo.png" srcset="none.png 2x">', embed_images = root .. "/a" },
      "message.image_not_found", "html", 29)
  end)

  it("leaves everything else as it is", function()
    local html = '<!-- <img src="no.png"> --><script>"<img src=no.png>"</script>'
      .. '<p title="src=no.png">src="no.png" &lt;img src=no.png&gt;</p>'
      .. '<img src="https://x.org/a.png">'
      .. '<img src="//x.org/a.png"><img src="cid:own"><img src="data:image/gif;base64,R0lG">'
      .. '<img src="#x"><img src=""><img><a href="no.png">x</a><img src="HTTP://x.org">'
    local facts = read(build({ text = false, html = html, embed_images = root,
      inline = { own = { data = "x", name = "own.png" } } }))
    assert.equal("related(text/html,image/png)", facts.structure)
    assert.equal(html, facts.html)
    facts = read(embed("<p>nothing</p>"))
    assert.equal("text/html", facts.structure)
  end)

  it("takes no file from elsewhere", function()
    shell.run(("ln -s ../outside.png %s/a/link.png; ln -s .. %s/a/up"):format(root, root))
    local options = root .. "/a"
    for _, src in ipairs({ "../outside.png", "sub/../../outside.png", "link.png",
      "up/outside.png", "%2e%2e/outside.png", "..%2Foutside.png", "/../outside.png" }) do
      local html = ('<b></b><img src="%s">'):format(src)
      local err = refused({ html = html, embed_images = options }, "message.image_outside", "html",
        18)
      assert.matches(src, err.message, 1, true)
    end
    refused({ html = '<img src="a%00.png">', embed_images = options }, "message.image_outside",
      "html", 11)
    assert.equal('<img src="#1">', (seen(embed('<img src="sub/../logo.png">'))))
  end)

  it("says which picture is missing", function()
    local err = refused({ html = '<img src="logo.png"><img src="sub/none.png">',
      embed_images = root .. "/a" }, "message.image_not_found", "html", 31)
    assert.matches('"sub/none.png"', err.message, 1, true)
    refused({ html = "<img src=notes.txt>", embed_images = root .. "/a" }, "message.bad_image",
      "html", 10)
    refused({ html = "<img src=logo.png>", embed_images = root .. "/none" },
      "message.image_not_found", "html", 10)
    shell.run(("mkdir %s/a/folder.png"):format(root))
    refused({ html = "<img src=folder.png>", embed_images = root .. "/a" }, "message.unreadable",
      "html", 10)
    shell.run(("truncate -s 64M %s/a/large.png"):format(root))
    refused({ html = "<img src=logo.png><img src=large.png>", embed_images = root .. "/a" },
      "message.too_large", "html", 28)
    local long = ("长"):rep(500) .. ".png"
    err = refused({ html = '<img src="' .. long .. '">', embed_images = root .. "/a" },
      "message.unreadable", "html", 11)
    assert.is_nil(require("qqmail.core").codec.utf8_fault(err.message))
  end)

  it("turns data: URLs into parts when asked to", function()
    local png = "data:image/png;base64,iVBORw0KGgo="
    local html, parts, facts = seen(embed(('<img src="%s"><img src=\'%s\'>'):format(png, png)
      .. '<img src="data:image/svg+xml,%3Csvg/%3E"><p style="x:url(data:image/gif;base64,R0lG)">'
      .. '<img src="data:text/plain,x"><img src="other.png">', { data_urls = true }))
    assert.equal('<img src="#1"><img src=\'#1\'><img src="#2"><p style="x:url(#3)">'
      .. '<img src="data:text/plain,x"><img src="other.png">', html)
    assert.same({ "image1.png image/png", "image2.svg image/svg+xml", "image3.gif image/gif" },
      parts)
    assert.same({ 8, 6, 3 }, { facts.parts[2].size, facts.parts[3].size, facts.parts[4].size })
    html = seen(embed(('<img src="%s"><img src=logo.png>'):format(png),
      { folder = root .. "/a", data_urls = true }))
    assert.equal('<img src="#1"><img src=#2>', html)
    refused({ html = '<img src="data:image/png;base64,%%%">', embed_images = { data_urls = true } },
      "message.bad_image", "html", 11)
  end)

  it("works on a file and with a template", function()
    put("mail.html", '<img src="logo.png">你好')
    local html = seen(build({ text = false, html = { path = root .. "/mail.html" },
      embed_images = root .. "/a" }))
    assert.equal('<img src="#1">你好', html)
    shell.run(("mkdir %s/welcome"):format(root))
    put("welcome/subject.txt", "Hi")
    put("welcome/body.html", '<p>{{name}}</p><img src="{{picture}}" alt="logo">')
    local function from_template(picture)
      return messages.spec_with({ subject = "none", text = "none",
        template = root .. "/welcome", vars = { name = "<img src=none.png>", picture = picture },
        embed_images = root .. "/a" })
    end
    local facts = read(assert(qqmail.message(from_template("logo.png"))))
    assert.equal("related(alternative(text/plain,text/html),image/png)", facts.structure)
    assert.matches('&lt;img src=none.png&gt;</p><img src="cid:', facts.html, 1, true)
    local built, err = qqmail.message(from_template("../outside.png"))
    assert.is_nil(built)
    assert.equal("message.image_outside", err.code)
  end)

  it("gives each message content ids of its own", function()
    local one = tostring(embed("<img src=logo.png>")):match("cid:[^>]+")
    local two = tostring(embed("<img src=logo.png>")):match("cid:[^>]+")
    assert.not_equal(one, two)
  end)

  it("is checked", function()
    refused({ embed_images = root }, "message.bad_value", "embed_images")
    refused({ html = "x", embed_images = true }, "message.bad_value", "embed_images")
    refused({ html = "x", embed_images = {} }, "message.bad_value", "embed_images")
    refused({ html = "x", embed_images = { folder = 5 } }, "message.bad_value",
      "embed_images.folder")
    refused({ html = "x", embed_images = { data_urls = 5 } }, "message.bad_value",
      "embed_images.data_urls")
    refused({ html = "x", embed_images = { foldre = "x" } }, "message.unknown_field",
      "embed_images.foldre")
  end)

  it("cannot be made to write another line", function()
    for _, ending in ipairs({ "%0d%0aX: y", "%0aX: y", "&#13;&#10;X: y", "\r\nX: y" }) do
      refused({ html = '<img src="a' .. ending .. '.png">', embed_images = root .. "/a" },
        "message.image_not_found", "html", 11)
    end
    shell.run(("printf x > \"%s/a/$(printf 'a\\nb').png\""):format(root))
    refused({ html = '<img src="a%0ab.png">', embed_images = root .. "/a" },
      "message.control_character", "embed_images.a?b.png.name", 2)
  end)

  it("takes a time that grows with the length", function()
    local count = os.getenv("QQMAIL_INSTRUMENTED") and 2000 or 20000
    local html = {}
    for index = 1, count do
      html[index] = '<img src="logo.png"><p style="a:url(logo.png)">&quot;'
    end
    local built = build({ text = false, html = table.concat(html) .. ("<img src='"):rep(count)
      .. ("url("):rep(count), embed_images = root .. "/a" })
    assert.equal(1, #built.parts.inline)
  end)
end)
