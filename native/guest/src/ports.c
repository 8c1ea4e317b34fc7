#include "ports.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ESTABLISHED = 0x01, LISTEN = 0x0a };

struct address {
  size_t digits;
  const char *text;
  uint32_t port;
};

struct row {
  struct address local, remote;
  uint32_t state;
};

static bool next_row(const char **table, struct row *row);
static bool parse_row(const char *line, struct row *row);
static bool parse_address(const char **at, struct address *address);
static bool hex(const char *text, size_t digits, uint32_t *value);
static bool is_loopback(const struct address *address);

int first_listening_port(const char *table) {
  struct row row;
  while (next_row(&table, &row))
    if (row.state == LISTEN && row.local.port != 0 && !is_loopback(&row.local)) return (int)row.local.port;
  return 0;
}

size_t established_connections(const char *table) {
  struct row row;
  size_t count = 0;
  while (next_row(&table, &row)) {
    bool own = memcmp(row.local.text, row.remote.text, row.local.digits) == 0;
    if (row.state == ESTABLISHED && !own && !is_loopback(&row.local)) count++;
  }
  return count;
}

/* Passes over lines that are no rows: the heading, and one that is cut. */
static bool next_row(const char **table, struct row *row) {
  while (*table && **table) {
    const char *line = *table, *end = strchr(line, '\n');
    *table = end ? end + 1 : NULL;
    if (parse_row(line, row)) return true;
  }
  return false;
}

/* "  0: 0100007F:1F90 00000000:0000 0A …": local and remote address with port, state. */
static bool parse_row(const char *line, struct row *row) {
  const char *at = line + strspn(line, " ");
  at += strspn(at, "0123456789");
  if (*at++ != ':') return false;
  if (!parse_address(&at, &row->local) || !parse_address(&at, &row->remote)) return false;
  return row->local.digits == row->remote.digits && *at == ' ' && hex(at + 1, 2, &row->state);
}

static bool parse_address(const char **at, struct address *address) {
  const char *text = *at + strspn(*at, " ");
  *address = (struct address){strspn(text, "0123456789ABCDEFabcdef"), text, 0};
  if ((address->digits != 8 && address->digits != 32) || text[address->digits] != ':') return false;
  *at = text + address->digits + 5;
  return hex(text + address->digits + 1, 4, &address->port);
}

/* The kernel prints an address as 32-bit words of this machine's byte order, each holding network order. */
static bool is_loopback(const struct address *address) {
  uint32_t word[4] = {0};
  uint8_t bytes[16];
  for (size_t i = 0; i < address->digits / 8; i++)
    if (!hex(address->text + 8 * i, 8, &word[i])) return false;
  memcpy(bytes, word, sizeof bytes);
  if (address->digits == 8) return bytes[0] == 127;
  static const uint8_t one[16] = {[15] = 1}, mapped[12] = {[10] = 0xff, [11] = 0xff};
  return memcmp(bytes, one, 16) == 0 || (memcmp(bytes, mapped, 12) == 0 && bytes[12] == 127);
}

static bool hex(const char *text, size_t digits, uint32_t *value) {
  *value = 0;
  for (size_t i = 0; i < digits; i++) {
    char c = text[i];
    uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0')
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                                            : 16;
    if (digit == 16) return false;
    *value = *value << 4 | digit;
  }
  return true;
}
