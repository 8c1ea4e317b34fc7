/*
 * What a hostile network card could send, and what arrives elsewhere of it; frames and packets are lines of hexadecimal digits:
 *   raw-frames send DEVICE    sends each line of stdin, and answers it with a line
 *   raw-frames hear DEVICE    prints each frame that passes DEVICE, either way
 *   raw-frames hear-host      prints each packet that the network stack hands to sockets
 * The latter two print "up" first.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int open_device(const char *name)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    if (fd < 0)
        fail("socket");
    at.sll_ifindex = (int)if_nametoindex(name);
    if (at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
        fail(name);
    return fd;
}

static void send_lines(int fd)
{
    static char line[140002];
    static unsigned char frame[70000];
    while (fgets(line, sizeof line, stdin) != NULL) {
        size_t length = 0;
        while (sscanf(line + 2 * length, "%2hhx", &frame[length]) == 1)
            length++;
        puts(send(fd, frame, length, 0) < 0 ? strerror(errno) : "sent");
        fflush(stdout);
    }
}

static void hear(const struct pollfd *ends, nfds_t count)
{
    static unsigned char frame[70000];
    for (nfds_t index = 0; index < count; index++) {
        if (ends[index].revents == 0)
            continue;
        ssize_t length = recv(ends[index].fd, frame, sizeof frame, 0);
        for (ssize_t at = 0; at < length; at++)
            printf("%02x", frame[at]);
        puts("");
    }
    fflush(stdout);
}

int main(int count, char **words)
{
    struct pollfd ends[16];
    nfds_t used = 0;
    if (count == 3 && strcmp(words[1], "send") == 0) {
        send_lines(open_device(words[2]));
        return 0;
    }
    if (count == 3 && strcmp(words[1], "hear") == 0) {
        ends[used++] = (struct pollfd){.fd = open_device(words[2]), .events = POLLIN};
    } else if (count == 2 && strcmp(words[1], "hear-host") == 0) {
        /* ICMP, IGMP, IPIP, TCP, UDP, IPv6 in IPv4, GRE, ESP, SCTP; then ICMPv6, UDP and TCP over IPv6. */
        const int protocols[] = {1, 2, 4, 6, 17, 41, 47, 50, 132};
        const int later[] = {58, 17, 6};
        for (size_t index = 0; index < sizeof protocols / sizeof *protocols; index++)
            ends[used++] = (struct pollfd){.fd = socket(AF_INET, SOCK_RAW, protocols[index]), .events = POLLIN};
        for (size_t index = 0; index < sizeof later / sizeof *later; index++)
            ends[used++] = (struct pollfd){.fd = socket(AF_INET6, SOCK_RAW, later[index]), .events = POLLIN};
        for (nfds_t index = 0; index < used; index++)
            if (ends[index].fd < 0)
                fail("raw socket");
    } else {
        return 2;
    }
    puts("up");
    fflush(stdout);
    while (poll(ends, used, -1) >= 0)
        hear(ends, used);
    fail("poll");
}
