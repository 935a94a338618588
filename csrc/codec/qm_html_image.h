/*
 * qm_html_image.h: where HTML names the pictures it shows.
 *
 * `src` of <img> and <input>, `srcset` of <img> and <source>, `background` of
 * any element, url() in `style` and in <style>; never in comments, scripts or
 * text. What readers do with an address is not judged here. One pass in linear
 * time, nothing is copied.
 */
#ifndef QM_HTML_IMAGE_H
#define QM_HTML_IMAGE_H

#include "base/qm_buf.h"
#include "codec/qm_html.h"

enum { QM_HTML_IMAGE_ATTRIBUTES = 4 };

/* What a value is, or where an address was found. */
enum qm_html_image_form {
    QM_HTML_ADDRESS,
    QM_HTML_SRCSET, /* addresses, each with a description, commas between */
    QM_HTML_CSS     /* url() in it counts */
};

/* A value that may name pictures. */
struct qm_html_value {
    struct qm_span text;
    enum qm_html_image_form form;
    bool has_entities; /* of an attribute: references stand for characters */
};

struct qm_html_images {
    struct qm_html html;
    struct qm_html_value values[QM_HTML_IMAGE_ATTRIBUTES]; /* in their order */
    size_t count;                                          /* values in there */
    size_t next;               /* the first that was not looked at */
    struct qm_html_value left; /* what <style> holds, not yet looked at */
    struct qm_html_value open; /* what is left of the one being looked at */
};

QM_DECLS_BEGIN

void qm_html_images_init(struct qm_html_images *images, struct qm_span html);

/*
 * The next address; false at the end. `text` points to its characters, quotes
 * and blanks around them left out; it is not empty.
 */
bool qm_html_images_next(struct qm_html_images *images,
                         struct qm_html_value *address_out);

/* Appends the address with its references decoded. */
enum qm_err
qm_html_image_append(struct qm_buf *out,
                     const struct qm_html_value *address) QM_MUST_USE;

QM_DECLS_END

#endif
