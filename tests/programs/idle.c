/* SPDX-License-Identifier: Apache-2.0 */
/* idle [SECONDS]: does nothing. */
#include <unistd.h>

#include "burn.h"

int main(int argc, char **argv)
{
	sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 60);
	return 0;
}
