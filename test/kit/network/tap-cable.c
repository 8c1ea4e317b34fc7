/*
 * A cable between two TAP devices in two network namespaces, so that a namespace can play a virtual machine:
 *   tap-cable HOST_TAP UID GUEST_NAMESPACE_FILE GUEST_DEVICE
 * Attaches HOST_TAP as UID, as a VMM does, makes GUEST_DEVICE in the other namespace, prints "up" and copies frames, each
 * with its virtio-net header, until it is killed.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int open_tun(void)
{
    int fd = open("/dev/net/tun", O_RDWR);
    if (fd < 0)
        fail("/dev/net/tun");
    return fd;
}

static void attach_tap(int fd, const char *name)
{
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        fail(name);
}

static void copy_frame(int from, int to)
{
    static char frame[70000];
    ssize_t length = read(from, frame, sizeof frame);
    /* EIO: one of the devices is down. The frame is lost, as on a cable. */
    if (length > 0 && write(to, frame, (size_t)length) < 0)
        return;
}

int main(int count, char **words)
{
    if (count != 5)
        return 2;
    int host = open_tun();
    if (seteuid((uid_t)atoi(words[2])) < 0)
        fail("seteuid");
    attach_tap(host, words[1]);
    if (seteuid(0) < 0)
        fail("seteuid");
    int other = open(words[3], O_RDONLY);
    if (other < 0 || setns(other, CLONE_NEWNET) < 0)
        fail(words[3]);
    int guest = open_tun();
    attach_tap(guest, words[4]);
    puts("up");
    fflush(stdout);
    struct pollfd ends[2] = {{.fd = host, .events = POLLIN}, {.fd = guest, .events = POLLIN}};
    for (;;) {
        if (poll(ends, 2, -1) < 0)
            fail("poll");
        if (ends[0].revents != 0)
            copy_frame(host, guest);
        if (ends[1].revents != 0)
            copy_frame(guest, host);
    }
}
