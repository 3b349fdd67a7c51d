/* SPDX-License-Identifier: Apache-2.0 */
/* memfd SECONDS PROGRAM: copies PROGRAM into memory and executes that. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "../burn.h"

extern char **environ;

int main(int argc, char **argv)
{
	int from = argc == 3 ? open(argv[2], O_RDONLY) : -1,
	    to = memfd_create("in_memory", MFD_CLOEXEC);
	ssize_t n;

	if (from < 0 || to < 0)
		return 2;
	while ((n = sendfile(to, from, NULL, 1 << 20)) > 0)
		;
	if (n == 0)
		fexecve(to, (char *[]){"in_memory", argv[1], NULL}, environ);
	perror("memfd");
	return 1;
}
