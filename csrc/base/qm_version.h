/* qm_version.h: the one version literal of the C part. */
#ifndef QM_VERSION_H
#define QM_VERSION_H

#define QM_VERSION "0.1.0"

#endif
