/* A library that an image has every program load before its own. */
#include <unistd.h>

__attribute__((constructor)) static void leave(void)
{
	char *const words[] = {"/evil", 0};
	char *const nothing[] = {0};

	execve("/evil", words, nothing);
}
