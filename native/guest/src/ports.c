#include "ports.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool hex(const char *text, size_t digits, uint32_t *value);
static bool is_loopback(const char *address, size_t digits);

/* "  0: 0100007F:1F90 00000000:0000 0A …": address, port and, third, the state; 0A is LISTEN. */
int first_listening_port(const char *table) {
  for (const char *line = table; line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    const char *colon = strchr(line, ':');
    const char *end = line + strcspn(line, "\n");
    if (!colon || colon > end) continue;
    const char *address = colon + 1 + strspn(colon + 1, " ");
    size_t digits = strspn(address, "0123456789ABCDEFabcdef");
    if ((digits != 8 && digits != 32) || address[digits] != ':') continue;
    const char *port = address + digits + 1;
    size_t remote = strcspn(port, " \n");
    if (port[remote] != ' ') continue;
    const char *state = port + remote + 1;
    state += strcspn(state, " \n");
    uint32_t number;
    if (strncmp(state, " 0A", 3) != 0 || !hex(port, 4, &number) || number == 0) continue;
    if (!is_loopback(address, digits)) return (int)number;
  }
  return 0;
}

/* The kernel prints an address as 32-bit words of this machine's byte order, each holding network order. */
static bool is_loopback(const char *address, size_t digits) {
  uint32_t word[4] = {0};
  uint8_t bytes[16];
  for (size_t i = 0; i < digits / 8; i++)
    if (!hex(address + 8 * i, 8, &word[i])) return false;
  memcpy(bytes, word, sizeof bytes);
  if (digits == 8) return bytes[0] == 127;
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
