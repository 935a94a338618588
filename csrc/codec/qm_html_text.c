#include "codec/qm_html_text.h"

#include "base/qm_ascii.h"
#include "codec/qm_html.h"
#include "codec/qm_html_line.h"
#include "codec/qm_html_link.h"
#include "codec/qm_html_style.h"

enum {
    DEPTH_MAX = 128, /* elements that are told apart; layouts reach 80 */
    ORDINAL_MAX = 1000000
};

#define BIT(kind) (1u << (kind))
#define CELLS     (BIT(QM_HTML_CELL) | BIT(QM_HTML_HEADCELL))
#define LISTS     (BIT(QM_HTML_LIST) | BIT(QM_HTML_ORDERED))
#define ROWS      (BIT(QM_HTML_ROW) | BIT(QM_HTML_SECTION))
#define TABLE     BIT(QM_HTML_TABLE)
/* Open elements of these are not counted where the stack ends. */
#define UNCOUNTED                                                              \
    (BIT(QM_HTML_OTHER) | BIT(QM_HTML_PAGE) | BIT(QM_HTML_RAW) |               \
     BIT(QM_HTML_VOID) | BIT(QM_HTML_BREAK) | BIT(QM_HTML_RULE) |              \
     BIT(QM_HTML_IMAGE))
#define SIZES (QM_HTML_STYLE_TINY | QM_HTML_STYLE_SIZED)

struct open {
    uint32_t name;
    enum qm_html_kind kind;
    uint8_t breaks;
    unsigned indent;  /* columns that it added */
    uint32_t ordinal; /* of a list: number of the next item */
    bool was_tiny;
    bool was_pre;
};

struct converter {
    struct qm_html_line line;
    struct open stack[DEPTH_MAX];
    size_t depth;
    size_t overflow;    /* open elements beyond the stack */
    size_t hidden_from; /* depth of the element that hides, 0: none */
    bool is_tiny;       /* font-size: 0, which children may change */
    bool is_pre_start;  /* the first line end of <pre> is none */
    bool is_row;        /* a row of which no cell had more than a line */
    bool is_joined;     /* ... with several texts */
    bool has_cell;      /* the row has */
    size_t row_lines;   /* lines begun when the row began */
    bool in_link;
    bool has_image; /* in the link */
    size_t link_at; /* bytes written when it began */
    struct qm_span href;
};

static bool is_one_of(enum qm_html_kind kind, uint32_t kinds)
{
    return (BIT(kind) & kinds) != 0;
}

/* --- tables --------------------------------------------------------------- */

static void enter_row(struct converter *self)
{
    qm_html_line_break(&self->line, 1);
    self->is_row = true;
    self->has_cell = false;
    self->line.gaps = 0;
    self->line.is_fresh = self->is_joined;
    self->is_joined = false;
    self->row_lines = self->line.lines;
}

/* Whether the row has one line of text so far. */
static bool is_simple_row(const struct converter *self)
{
    return self->is_row && self->line.lines == self->row_lines + 1;
}

static void enter_cell(struct converter *self, enum qm_html_kind kind)
{
    struct qm_html_line *line = &self->line;
    bool is_first = self->is_row && line->lines == self->row_lines;

    if (kind == QM_HTML_HEADCELL) {
        line->keeps_gaps = true;
    }
    if (is_simple_row(self)) {
        /* a paragraph in the cell before is no reason for a new line */
        qm_html_line_reopen(line);
        line->gaps++;
        line->is_fresh = true;
        self->is_joined = true;
    } else if (!is_first || line->is_open) {
        qm_html_line_break(line, 1);
    } else if (self->has_cell && line->keeps_gaps) {
        line->gaps++;
    }
    self->has_cell = true;
}

static void leave_row(struct converter *self)
{
    bool is_simple = is_simple_row(self);

    self->line.gaps = 0;
    self->line.is_fresh = false;
    qm_html_line_break(&self->line, 1);
    if (is_simple && self->is_joined) {
        self->line.breaks = 1;
    }
    self->is_row = false;
}

static void turn_table(struct converter *self, size_t breaks)
{
    self->line.gaps = 0;
    self->line.is_fresh = false;
    self->line.keeps_gaps = false;
    self->is_row = false;
    self->is_joined = false;
    qm_html_line_break(&self->line, breaks);
}

/* --- lists ---------------------------------------------------------------- */

static struct open *find_list(struct converter *self)
{
    size_t i;

    for (i = self->depth; i > 0; i--) {
        if (is_one_of(self->stack[i - 1].kind, LISTS)) {
            return &self->stack[i - 1];
        } else if (self->stack[i - 1].kind == QM_HTML_TABLE) {
            break;
        }
    }
    return NULL;
}

static void indent(struct converter *self, struct open *open, size_t columns)
{
    if (self->line.indent + columns <= QM_HTML_LINE_INDENT_MAX) {
        open->indent = (unsigned)columns;
        self->line.indent += open->indent;
    }
}

static size_t write_ordinal(char *out, uint32_t value)
{
    char digits[10];
    size_t count = 0;
    size_t i;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (i = 0; i < count; i++) {
        out[i] = digits[count - 1 - i];
    }
    return count;
}

static void enter_item(struct converter *self, struct open *open)
{
    struct qm_html_line *line = &self->line;
    struct open *list = find_list(self);
    size_t len;

    qm_html_line_break(line, 1);
    if (list != NULL && list->kind == QM_HTML_ORDERED) {
        len = write_ordinal(line->marker, list->ordinal);
        line->marker[len++] = '.';
        list->ordinal += list->ordinal < ORDINAL_MAX ? 1 : 0;
    } else {
        len = 0;
        line->marker[len++] = '-';
    }
    line->marker[len++] = ' ';
    line->marker_len = len;
    indent(self, open, len);
}

static uint32_t first_ordinal(struct qm_span start)
{
    uint64_t value;

    return qm_ascii_to_u64(start, &value) && value < ORDINAL_MAX
               ? (uint32_t)value
               : 1;
}

/* A list in an item follows its text; `depth` elements are around it. */
static size_t list_breaks(const struct converter *self, size_t depth)
{
    size_t i;

    for (i = depth; i > 0; i--) {
        if (self->stack[i - 1].kind == QM_HTML_ITEM) {
            return 1;
        } else if (is_one_of(self->stack[i - 1].kind, CELLS)) {
            break;
        }
    }
    return 2;
}

/* --- links ---------------------------------------------------------------- */

static void enter_link(struct converter *self, struct qm_span href)
{
    self->in_link = href.len > 0;
    self->has_image = false;
    self->href = href;
    self->link_at = qm_buf_len(self->line.out);
}

static void leave_link(struct converter *self)
{
    struct qm_buf *out = self->line.out;
    struct qm_span text = qm_span_from(qm_buf_span(out), self->link_at);

    if (!self->in_link) {
        return;
    }
    self->in_link = false;
    if (text.len > 0) {
        qm_html_link_append(out, self->href, self->link_at);
    } else if (self->has_image && qm_html_link_leads(self->href)) {
        qm_html_line_begin(&self->line, '<');
        qm_html_link_append(out, self->href, qm_buf_len(out));
    }
}

/* --- elements ------------------------------------------------------------- */

static void enter_block(struct converter *self, struct open *open)
{
    size_t breaks = open->breaks;

    if (is_one_of(open->kind, LISTS)) {
        breaks = list_breaks(self, self->depth - 1);
    }
    if (breaks > 0) {
        qm_html_line_break(&self->line, breaks);
    }
    if (open->kind == QM_HTML_DETAIL) {
        indent(self, open, 2);
    } else if (open->kind == QM_HTML_PRE) {
        self->line.is_pre = true;
        self->is_pre_start = true;
    } else if (open->kind == QM_HTML_QUOTE) {
        self->line.quotes += self->line.quotes < QM_HTML_LINE_QUOTES_MAX;
    }
}

static void enter(struct converter *self, struct open *open,
                  const struct qm_html_token *token)
{
    if (open->kind == QM_HTML_LINK) {
        enter_block(self, open);
        enter_link(self, token->href);
    } else if (open->kind == QM_HTML_TABLE) {
        turn_table(self, open->breaks);
    } else if (open->kind == QM_HTML_ROW) {
        enter_row(self);
    } else if (is_one_of(open->kind, CELLS)) {
        enter_cell(self, open->kind);
    } else if (open->kind == QM_HTML_ITEM) {
        enter_item(self, open);
    } else {
        open->ordinal = first_ordinal(token->start);
        enter_block(self, open);
    }
}

static void leave(struct converter *self, const struct open *open)
{
    struct qm_html_line *line = &self->line;
    size_t most = open->was_pre ? line->breaks : 2;

    line->indent -= open->indent;
    if (open->kind == QM_HTML_LINK) {
        leave_link(self);
    }
    if (open->kind == QM_HTML_TABLE) {
        turn_table(self, open->breaks);
    } else if (open->kind == QM_HTML_ROW) {
        leave_row(self);
    } else if (open->kind == QM_HTML_ITEM) {
        line->marker_len = 0;
        qm_html_line_break(line, 1);
    } else if (is_one_of(open->kind, LISTS)) {
        qm_html_line_break(line, list_breaks(self, self->depth));
    } else if (open->breaks > 0) {
        qm_html_line_break(line, open->breaks);
    }
    if (open->kind == QM_HTML_QUOTE && line->quotes > 0) {
        line->quotes--;
    } else if (open->kind == QM_HTML_PRE) {
        line->is_pre = open->was_pre;
        line->breaks = line->breaks < most ? line->breaks : most;
    }
}

/* --- the stack ------------------------------------------------------------ */

static void pop(struct converter *self)
{
    const struct open *open = &self->stack[--self->depth];

    if (self->hidden_from == 0) {
        leave(self, open);
    } else if (self->hidden_from == self->depth + 1) {
        self->hidden_from = 0;
    }
    self->is_tiny = open->was_tiny;
}

static void pop_to(struct converter *self, size_t depth)
{
    while (self->depth > depth) {
        pop(self);
    }
}

/* Line ends around an element: `display: block` makes a block of any. */
static uint8_t breaks_of(const struct qm_html_token *token, unsigned style)
{
    bool is_inline =
        is_one_of(token->kind, BIT(QM_HTML_OTHER) | BIT(QM_HTML_LINK));

    return is_inline && (style & QM_HTML_STYLE_BLOCK) != 0 ? 1 : token->breaks;
}

static void push(struct converter *self, const struct qm_html_token *token,
                 unsigned style)
{
    struct open *open;

    if (self->depth == DEPTH_MAX) {
        self->overflow += is_one_of(token->kind, UNCOUNTED) ? 0 : 1;
        return;
    }
    open = &self->stack[self->depth++];
    open->name = token->name;
    open->kind = token->kind;
    open->breaks = breaks_of(token, style);
    open->indent = 0;
    open->ordinal = 0;
    open->was_tiny = self->is_tiny;
    open->was_pre = self->line.is_pre;
    if ((style & SIZES) != 0) {
        self->is_tiny = (style & QM_HTML_STYLE_TINY) != 0;
    }
    if (self->hidden_from > 0) {
        return;
    } else if (token->is_hidden || (style & QM_HTML_STYLE_HIDDEN) != 0 ||
               token->kind == QM_HTML_HEAD || token->kind == QM_HTML_HIDDEN) {
        self->hidden_from = self->depth;
    } else {
        enter(self, open, token);
    }
}

/* The depth of the nearest of that name, 0: none, or a fence is around it. */
static size_t find_named(const struct converter *self, uint32_t name,
                         uint32_t fences)
{
    size_t i;

    for (i = self->depth; i > 0; i--) {
        if (self->stack[i - 1].name == name) {
            return i;
        } else if (is_one_of(self->stack[i - 1].kind, fences)) {
            break;
        }
    }
    return 0;
}

/*
 * Elements such as <b> and <font>, which may be left open by the hundred, need
 * no place on the stack: only those that change what is shown do, and what is
 * inside of one by the same name, so that the right end tag ends it.
 */
static bool is_worth_a_place(const struct converter *self,
                             const struct qm_html_token *token, unsigned style)
{
    const unsigned matters = QM_HTML_STYLE_HIDDEN | QM_HTML_STYLE_TINY |
                             QM_HTML_STYLE_BLOCK |
                             (self->is_tiny ? QM_HTML_STYLE_SIZED : 0u);

    if (token->kind != QM_HTML_OTHER) {
        return true;
    } else if (token->is_closed) {
        return false;
    }
    return (self->hidden_from == 0 &&
            (token->is_hidden || (style & matters) != 0)) ||
           find_named(self, token->name, CELLS | TABLE) > 0;
}

/* Ends the nearest element of `kinds`, unless one of `fences` is around it. */
static void end_open(struct converter *self, uint32_t kinds, uint32_t fences)
{
    size_t i;

    for (i = self->depth; i > 0; i--) {
        if (is_one_of(self->stack[i - 1].kind, kinds)) {
            pop_to(self, i - 1);
            return;
        } else if (is_one_of(self->stack[i - 1].kind, fences)) {
            return;
        }
    }
}

/* What ends where another element begins, its end tag left out. */
static void end_implied(struct converter *self, enum qm_html_kind kind,
                        uint8_t breaks)
{
    if (self->depth > 0 && self->stack[self->depth - 1].kind == QM_HTML_HEAD &&
        (breaks > 0 || is_one_of(kind, CELLS | BIT(QM_HTML_PAGE)))) {
        pop(self);
    }
    if (breaks > 0) {
        end_open(self, BIT(QM_HTML_P), CELLS | TABLE);
    }
    if (kind == QM_HTML_ITEM) {
        end_open(self, BIT(QM_HTML_ITEM), LISTS | CELLS | TABLE);
    } else if (kind == QM_HTML_TERM || kind == QM_HTML_DETAIL) {
        end_open(self, BIT(QM_HTML_TERM) | BIT(QM_HTML_DETAIL),
                 BIT(QM_HTML_TERMS) | LISTS | CELLS | TABLE);
    } else if (kind == QM_HTML_LINK) {
        end_open(self, BIT(QM_HTML_LINK), CELLS | TABLE);
    } else if (is_one_of(kind, CELLS)) {
        end_open(self, CELLS, TABLE);
    } else if (kind == QM_HTML_ROW) {
        end_open(self, BIT(QM_HTML_ROW), TABLE | BIT(QM_HTML_SECTION));
    } else if (kind == QM_HTML_SECTION) {
        end_open(self, ROWS, TABLE);
        end_open(self, BIT(QM_HTML_SECTION), TABLE);
    }
}

/* --- tokens --------------------------------------------------------------- */

static void put_rule(struct converter *self)
{
    qm_html_line_break(&self->line, 1);
    qm_html_line_put(&self->line, qm_span_of("------------------------"));
    qm_html_line_break(&self->line, 1);
}

static void put_image(struct converter *self, struct qm_span alt, bool is_block)
{
    if (is_block) {
        qm_html_line_break(&self->line, 1);
    }
    self->has_image = true;
    qm_html_line_put(&self->line, alt);
    if (is_block) {
        qm_html_line_break(&self->line, 1);
    }
}

/* An element without content. */
static void put_single(struct converter *self,
                       const struct qm_html_token *token, unsigned style)
{
    if (self->hidden_from > 0 || token->is_hidden ||
        (style & QM_HTML_STYLE_HIDDEN) != 0) {
        return;
    } else if (token->kind == QM_HTML_BREAK) {
        qm_html_line_br(&self->line);
    } else if (token->kind == QM_HTML_RULE) {
        put_rule(self);
    } else if (token->kind == QM_HTML_IMAGE) {
        put_image(self, token->alt, (style & QM_HTML_STYLE_BLOCK) != 0);
    }
}

static void take_start(struct converter *self,
                       const struct qm_html_token *token)
{
    unsigned style = qm_html_style_of(token->style);

    self->is_pre_start = false;
    if (token->kind == QM_HTML_RAW || token->kind == QM_HTML_VOID) {
        return;
    }
    end_implied(self, token->kind, token->breaks);
    if (is_one_of(token->kind, BIT(QM_HTML_BREAK) | BIT(QM_HTML_RULE) |
                                   BIT(QM_HTML_IMAGE))) {
        put_single(self, token, style);
    } else if (is_worth_a_place(self, token, style)) {
        push(self, token, style);
    }
}

static void take_end(struct converter *self, const struct qm_html_token *token)
{
    uint32_t fences = CELLS | TABLE;
    size_t found;

    if (token->kind == QM_HTML_PAGE) {
        return; /* what follows is shown as well */
    } else if (self->overflow > 0) {
        self->overflow -= is_one_of(token->kind, UNCOUNTED) ? 0 : 1;
        return;
    }
    if (is_one_of(token->kind, CELLS | ROWS)) {
        fences = TABLE;
    } else if (token->kind == QM_HTML_TABLE) {
        fences = 0;
    }
    found = find_named(self, token->name, fences);
    if (found > 0) {
        pop_to(self, found - 1);
    }
}

static void take_text(struct converter *self, struct qm_span text)
{
    if (self->hidden_from > 0 || self->is_tiny) {
        return;
    }
    if (self->is_pre_start && text.len > 0 && text.ptr[0] == '\r') {
        text = qm_span_from(text, 1);
    }
    if (self->is_pre_start && text.len > 0 && text.ptr[0] == '\n') {
        text = qm_span_from(text, 1);
    }
    self->is_pre_start = false;
    qm_html_line_put(&self->line, text);
}

static void take(struct converter *self, const struct qm_html_token *token)
{
    if (token->type == QM_HTML_TEXT) {
        take_text(self, token->text);
    } else if (token->type == QM_HTML_START) {
        take_start(self, token);
    } else if (token->type == QM_HTML_END) {
        take_end(self, token);
    }
}

enum qm_err qm_html_text(struct qm_buf *out, struct qm_span html)
{
    struct converter self;
    struct qm_html reader;
    struct qm_html_token token;

    memset(&self, 0, sizeof(self));
    qm_html_line_init(&self.line, out);
    qm_html_init(&reader, html);
    do {
        qm_html_next(&reader, &token);
        take(&self, &token);
    } while (token.type != QM_HTML_END_OF_INPUT && out->err == QM_OK);
    pop_to(&self, 0);
    if (qm_buf_len(out) > 0) {
        (void)qm_buf_append_char(out, '\n'); /* sticky */
    }
    return out->err;
}
