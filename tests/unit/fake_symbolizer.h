/* SPDX-License-Identifier: Apache-2.0 */
/* What tests that play a symbolizer gone wrong have in common. */
#ifndef TESTS_FAKE_SYMBOLIZER_H
#define TESTS_FAKE_SYMBOLIZER_H

#include "daemon/ipc/frame.h"
#include "daemon/ipc/messages.h"

/* Says that it is ready, as the real one does in its sandbox. 0 or -errno. */
static inline int fake_symbolizer_ready(void)
{
	struct msg_ready ready = {.has_landlock = 1};
	const struct ipc_msg msg = {.type = MSG_READY, .payload = &ready, .n_bytes = sizeof(ready)};

	return ipc_send(IPC_SYMBOLIZER_FD, &msg, IPC_FOREVER);
}

#endif
