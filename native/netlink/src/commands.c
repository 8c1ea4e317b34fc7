/* The commands that the daemon's plans are made of. They read as ip(8) reads them. */
#include "commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "tap.h"
#include "words.h"

unsigned if_nametoindex(const char *name);

struct prefix {
  struct in_addr address;
  unsigned length;
};

static struct prefix read_prefix(struct words *words) {
  struct prefix prefix = {.length = 32};
  char address[INET_ADDRSTRLEN], after;
  const char *text = words_text(words);
  int count = sscanf(text, "%15[0-9.]/%2u%c", address, &prefix.length, &after);
  bool has_length = strchr(text, '/') != NULL;
  if (count != (has_length ? 2 : 1) || prefix.length > 32 || inet_pton(AF_INET, address, &prefix.address) != 1)
    words->good = false;
  return prefix;
}

static struct in_addr read_address(struct words *words) {
  struct in_addr address = {0};
  if (inet_pton(AF_INET, words_text(words), &address) != 1) words->good = false;
  return address;
}

static void read_mac(struct words *words, uint8_t mac[6]) {
  const char *text = words_text(words);
  char after;
  if (strlen(text) != 17 || sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0], &mac[1], &mac[2], &mac[3],
                                   &mac[4], &mac[5], &after) != 6)
    words->good = false;
}

/* No such device is 0, which the kernel refuses or, in a route, would take for any: so it counts as bad. */
static int read_device(struct words *words, unsigned *index) {
  const char *name = words_text(words);
  *index = words->good ? if_nametoindex(name) : 0;
  return words->good && *index == 0 ? ENODEV : 0;
}

static int finish(struct words *words, struct request *request) {
  return !words->good || words_next(words) != NULL ? EINVAL : request_send(request);
}

static int tuntap_add(struct words *words) {
  struct tap tap = {0};
  bool has_header = false;
  for (const char *word; words->good && (word = words_next(words)) != NULL;) {
    if (strcmp(word, "dev") == 0) tap.device = words_text(words);
    else if (strcmp(word, "mode") == 0) {
      tap.is_tun = words_take(words, "tun");
      words->good = tap.is_tun || words_take(words, "tap");
    } else if (strcmp(word, "user") == 0) {
      tap.has_owner = true;
      tap.owner = words_number(words);
    } else if (strcmp(word, "vnet_hdr") == 0) has_header = true;
    else words->good = false;
  }
  return words->good && tap.device != NULL && has_header ? tap_make(&tap) : EINVAL;
}

/* No address of its own by IPv6. */
static void add_no_generated_address(struct request *request) {
  uint8_t none = IN6_ADDR_GEN_MODE_NONE;
  size_t families = request_open(request, IFLA_AF_SPEC);
  size_t inet6 = request_open(request, AF_INET6);
  request_add(request, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
  request_close(request, inet6);
  request_close(request, families);
}

static int link_set(struct words *words) {
  struct request request;
  struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
  unsigned index;
  if (!words_take(words, "dev")) return EINVAL;
  int missing = read_device(words, &index);
  if (missing != 0) return missing;
  body.ifi_index = (int)index;
  request_begin(&request, RTM_NEWLINK, 0, &body, sizeof body);
  for (const char *word; words->good && (word = words_next(words)) != NULL;) {
    if (strcmp(word, "address") == 0) {
      uint8_t mac[6];
      read_mac(words, mac);
      request_add(&request, IFLA_ADDRESS, mac, sizeof mac);
    } else if (strcmp(word, "group") == 0) request_add_number(&request, IFLA_GROUP, words_number(words));
    else if (strcmp(word, "addrgenmode") == 0) {
      words->good = words_take(words, "none");
      add_no_generated_address(&request);
    } else if (strcmp(word, "up") == 0) {
      struct ifinfomsg *sent = NLMSG_DATA(&request.header);
      sent->ifi_flags = sent->ifi_change = IFF_UP;
    } else words->good = false;
  }
  return finish(words, &request);
}

static int link_delete(struct words *words) {
  struct request request;
  struct ifinfomsg body = {.ifi_family = AF_UNSPEC};
  if (words_take(words, "group")) {
    request_begin(&request, RTM_DELLINK, 0, &body, sizeof body);
    request_add_number(&request, IFLA_GROUP, words_number(words));
    return finish(words, &request);
  }
  unsigned index;
  if (!words_take(words, "dev")) return EINVAL;
  int missing = read_device(words, &index);
  if (missing != 0) return missing;
  body.ifi_index = (int)index;
  request_begin(&request, RTM_DELLINK, 0, &body, sizeof body);
  return finish(words, &request);
}

static int address_set(struct words *words, uint16_t flags) {
  struct request request;
  struct prefix prefix = read_prefix(words);
  unsigned index;
  if (!words_take(words, "dev")) return EINVAL;
  int missing = read_device(words, &index);
  if (missing != 0) return missing;
  struct ifaddrmsg body = {.ifa_family = AF_INET, .ifa_prefixlen = (uint8_t)prefix.length, .ifa_index = index};
  request_begin(&request, RTM_NEWADDR, NLM_F_CREATE | flags, &body, sizeof body);
  request_add(&request, IFA_LOCAL, &prefix.address, sizeof prefix.address);
  request_add(&request, IFA_ADDRESS, &prefix.address, sizeof prefix.address);
  return finish(words, &request);
}

static int route_set(struct words *words, uint16_t type, uint16_t flags) {
  struct request request;
  bool adds = type == RTM_NEWROUTE;
  struct rtmsg body = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN};
  bool is_unreachable = words_take(words, "unreachable");
  struct prefix prefix = read_prefix(words);
  body.rtm_dst_len = (uint8_t)prefix.length;
  if (is_unreachable) body.rtm_type = RTN_UNREACHABLE;
  else if (adds) body.rtm_type = RTN_UNICAST;
  /* Without a gateway what is routed to is on the link; a deletion takes any scope. */
  body.rtm_scope = !adds ? RT_SCOPE_NOWHERE : is_unreachable ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  request_begin(&request, type, flags, &body, sizeof body);
  request_add(&request, RTA_DST, &prefix.address, sizeof prefix.address);
  for (const char *word; words->good && (word = words_next(words)) != NULL;) {
    if (strcmp(word, "dev") == 0) {
      unsigned index;
      int missing = read_device(words, &index);
      if (missing != 0) return missing;
      request_add_number(&request, RTA_OIF, index);
    } else if (strcmp(word, "proto") == 0) {
      struct rtmsg *sent = NLMSG_DATA(&request.header);
      sent->rtm_protocol = (uint8_t)words_number(words);
    } else if (strcmp(word, "src") == 0) {
      struct in_addr source = read_address(words);
      request_add(&request, RTA_PREFSRC, &source, sizeof source);
    } else if (strcmp(word, "metric") == 0) request_add_number(&request, RTA_PRIORITY, words_number(words));
    else words->good = false;
  }
  return finish(words, &request);
}

static int neighbour_replace(struct words *words) {
  struct request request;
  struct in_addr address = read_address(words);
  uint8_t mac[6];
  unsigned index;
  if (!words_take(words, "lladdr")) return EINVAL;
  read_mac(words, mac);
  if (!words_take(words, "dev")) return EINVAL;
  int missing = read_device(words, &index);
  if (missing != 0) return missing;
  if (!words_take(words, "nud") || !words_take(words, "permanent")) return EINVAL;
  struct ndmsg body = {.ndm_family = AF_INET, .ndm_ifindex = (int)index, .ndm_state = NUD_PERMANENT};
  request_begin(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
  request_add(&request, NDA_DST, &address, sizeof address);
  request_add(&request, NDA_LLADDR, mac, sizeof mac);
  return finish(words, &request);
}

int command_run(char *command) {
  struct words words = {.rest = command, .good = true};
  const char *object = words_text(&words), *verb = words_text(&words);
  bool is_add = strcmp(verb, "add") == 0, is_replace = strcmp(verb, "replace") == 0;
  bool is_delete = strcmp(verb, "delete") == 0;
  uint16_t flags = is_replace ? NLM_F_REPLACE : NLM_F_EXCL;
  if (strcmp(object, "tuntap") == 0 && is_add) return tuntap_add(&words);
  if (strcmp(object, "link") == 0 && strcmp(verb, "set") == 0) return link_set(&words);
  if (strcmp(object, "link") == 0 && is_delete) return link_delete(&words);
  if (strcmp(object, "address") == 0 && (is_add || is_replace)) return address_set(&words, flags);
  if (strcmp(object, "neighbour") == 0 && is_replace) return neighbour_replace(&words);
  if (strcmp(object, "route") == 0 && is_delete) return route_set(&words, RTM_DELROUTE, 0);
  if (strcmp(object, "route") == 0 && (is_add || is_replace))
    return route_set(&words, RTM_NEWROUTE, NLM_F_CREATE | flags);
  return EINVAL;
}
