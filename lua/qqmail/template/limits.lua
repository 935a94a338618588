--- What a template may cost, each limit with its reason. A template that comes from
-- outside cannot run code, but it could ask for more than a mail is worth.
-- @module qqmail.template.limits

return {
  -- Bytes of one template or partial. Readers of mail clip HTML beyond about 100 KB.
  template_bytes = 524288,
  -- Bytes of one rendered part: what servers take as a whole mail is 20 to 70 MB.
  output_bytes = 16777216,
  -- Sections and blocks inside each other in one template; nobody reads more.
  nesting = 100,
  -- Sections, blocks and partials under way at a time: partials may contain themselves, and
  -- the stack of LuaJIT has 65,536 places, of which a level takes some 40.
  depth = 250,
  -- Steps of one rendering. Partials that call others twice each grow without bound even
  -- where nothing is written; a table of 100,000 rows with ten cells needs 2,000,000.
  steps = 5000000,
  -- Columns that partials inside partials may be moved to the right.
  indentation = 1000,
  -- Bytes of a name, and its parts between dots.
  name_bytes = 255,
  name_parts = 32,
  -- Bytes of a delimiter that a template sets.
  delimiter_bytes = 32,
  -- Templates that a folder keeps compiled.
  cached = 1000,
}
