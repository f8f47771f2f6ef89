;! title    = "type switch over interfaces, through the cache that Go has at each such switch since 1.22"
;! heap     = "eface"
;! types    = "main.T{t}"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22"], targets = { default = 1, min = 1, max = 16 }, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: switches over interfaces"
;! book     = [
;!   { row = "", section = "II Type switches", count = [27, 9], today = "Cases that are interfaces: before Go 1.22 each was a call of the runtime, 242 to 289 instructions for the third." },
;! ]

; Whether a type has an interface's methods cannot be read off its hash, so that before Go 1.22 each case
; was a call of the runtime. Since then a run of such cases shares a cache: a table of a power of two of
; slots, each with a type, the case that it belongs to and the itab to call through, found by the type's hash and
; from there one after the other. The runtime fills it as types are met; here it is full, so a way to the
; runtime is not modelled.
;
; The switch has three cases, and type t belongs to the third, second or first in turn: the first type
; has the longest way. Each case calls the one method of its interface.

{% set size = 2 if targets == 1 else 4 if targets == 2 else 8 if targets <= 4 else 16 if targets <= 8 else 32 %}
{# The slots: each type goes to the first one that is free from its hash on. #}
{% set cache = namespace(slots=[]) %}
{% for slot in range(size) %}
{% set cache.slots = cache.slots + [none] %}
{% endfor %}
{% for type in types %}
{% set place = namespace(at=none) %}
{% for step in range(size) if place.at is none %}
{% set slot = (type.hash + step) % size %}
{% if place.at is none and cache.slots[slot] is none %}
{% set place.at = slot %}
{% endif %}
{% endfor %}
{% set cache.slots = cache.slots[:place.at] + [type.index] + cache.slots[place.at + 1:] %}
{% endfor %}

body:                                   ; rax = type, rbx = data
        test rax, rax
        je   default
        mov  esi, [rax + 16]            ; _type.hash
        mov  rdi, ["main..interfaceSwitch.0"]
        mov  r8, [rdi]                  ; the mask
        jmp  probe
next:   lea  rsi, [r9 + 1]
probe:  mov  r9, rsi
        and  rsi, r8
        lea  rsi, [rsi + rsi*2]         ; a slot has three words
        mov  r10, [rdi + rsi*8 + 8]     ; its type
        cmp  rax, r10
        je   found
        test r10, r10
        jne  next
        ud2                             ; runtime.interfaceSwitch
found:  mov  r8, [rdi + rsi*8 + 16]     ; its case
        mov  rdx, [rdi + rsi*8 + 24]    ; its itab
        test r8, r8
        je   case0
        cmp  r8, 1
        je   case1
        cmp  r8, 2
        jne  default
        mov  rcx, [rdx + 24]            ; case I2
        mov  rax, rbx
site:   call rcx
        jmp  done
case1:  mov  rcx, [rdx + 24]
        mov  rax, rbx
        call rcx
        jmp  done
case0:  mov  rcx, [rdx + 24]
        mov  rax, rbx
        call rcx
        jmp  done
default:
        mov  eax, -1
done:

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main..interfaceSwitch.0":
        dq   "main.cache"
data "main.cache":
        dq   {{ size - 1 }}
{% for slot in cache.slots %}
{% if slot is none %}
        dq   0, 0, 0
{% else %}
        dq   "type.main.T{{ slot }}", {{ 2 - slot % 3 }}, "go.itab.main.T{{ slot }},main.I{{ 2 - slot % 3 }}"
{% endif %}
{% endfor %}
{% for type in types %}
data "go.itab.main.T{{ type.index }},main.I{{ 2 - type.index % 3 }}":
        dq   0, "type.main.T{{ type.index }}", {{ type.hash }}, "main.(*T{{ type.index }}).Id"
{% endfor %}
