/* One request of rtnetlink(7), built in place, and its acknowledgement. */
#ifndef REQUEST_H
#define REQUEST_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct request {
  struct nlmsghdr header;
  char room[512];
};

/* `body` is the fixed part of the message; `flags` besides those of every change. */
void request_begin(struct request *request, uint16_t type, uint16_t flags, const void *body, size_t length);
void request_add(struct request *request, uint16_t attribute, const void *bytes, size_t length);
void request_add_number(struct request *request, uint16_t attribute, uint32_t value);
/* What is added until `request_close` is inside the attribute. */
size_t request_open(struct request *request, uint16_t attribute);
void request_close(struct request *request, size_t opened);
/* 0, or why the kernel refused it. */
int request_send(struct request *request);

#endif
