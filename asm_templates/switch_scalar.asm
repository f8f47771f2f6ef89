;! title    = "the book's two type switches over scalar types, on a uint32"
;! heap     = "eface"
;! types    = "uint32"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22", "1.19", "1.10"], size = ["small", "big"], has_case = [false, true], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type switches"

; `small` has the cases int8 and int16, `big` also int32, int64, uint8, uint16 and uint64. The
; interface holds a uint32. It is no case, and then the default asserts that it is a uint32; or, with
; `has_case=true`, it is one.
;
; The cases are sought in the order of their hashes: up to three one by one, more by halves, and from Go
; 1.22 on, from five on, through a table indexed by a few bits of the hash. What the compiler does beside
; is here as it emits it: loads of types' addresses that nothing uses, on the ways where a case did not fit,
; and in Go 1.10 a second test whether it did.

{% set int8 = {"name": "int8", "hash": hash("int8"), "load": "movsx eax, byte [rbx]"} %}
{% set int16 = {"name": "int16", "hash": hash("int16"), "load": "movsx eax, word [rbx]"} %}
{% set int32 = {"name": "int32", "hash": hash("int32"), "load": "mov  eax, [rbx]"} %}
{% set int64 = {"name": "int64", "hash": hash("int64"), "load": "mov  rax, [rbx]"} %}
{% set uint8 = {"name": "uint8", "hash": hash("uint8"), "load": "movzx eax, byte [rbx]"} %}
{% set uint16 = {"name": "uint16", "hash": hash("uint16"), "load": "movzx eax, word [rbx]"} %}
{% set uint32 = {"name": "uint32", "hash": hash("uint32"), "load": "mov  eax, [rbx]"} %}
{% set uint64 = {"name": "uint64", "hash": hash("uint64"), "load": "mov  rax, [rbx]"} %}
{% set small = [int8, int16, uint32] if has_case else [int8, int16] %}
{% set big = [int8, int16, int32, int64, uint8, uint16, uint64, uint32] if has_case
        else [int8, int16, int32, int64, uint8, uint16, uint64] %}
{% set cases = small if size == "small" else big %}
{% set sorted = cases | sort(attribute="hash") %}
{% set count = cases | length %}
{% set spare = 2 if go_minor >= 22 and count > 4 else none %}
{% set table = none if spare is none else jump_table(cases | map(attribute="hash") | list, spare) %}

{# What a case does once the hash is known to be its own, since Go 1.19. #}
{% macro act(case) %}
        lea  rcx, ["type.{{ case.name }}"]
        cmp  rax, rcx
        jne  miss
        {{ case.load }}
{% if table or case.name != sorted[0].name %}
        lea  rdx, ["type.{{ sorted[0].name }}"]
{% endif %}
        jmp  done
{% endmacro %}

{% macro chain(cases, is_first) %}
{% for case in cases %}
try_{{ case.name }}:
        cmp  ecx, {{ case.hash }}       ; hash of {{ case.name }}
{% if is_first and loop.first %}site:{% endif %}
        jne  {{ "miss" if loop.last else "try_" ~ cases[loop.index].name }}
{{ act(case) }}
{% endfor %}
{% endmacro %}

{% macro search(cases, is_first) %}
{% if cases | length < 4 %}
{{ chain(cases, is_first) }}
{% else %}
{% set half = (cases | length) // 2 %}
        cmp  ecx, {{ cases[half - 1].hash }}       ; the last hash of the lower half
{% if is_first %}site:{% endif %}
        ja   above_{{ cases[half].name }}
{{ search(cases[:half], false) }}
above_{{ cases[half].name }}:
{{ search(cases[half:], false) }}
{% endif %}
{% endmacro %}

{# The chain of Go 1.10, its detours behind it. Where the halving has just compared with the last
   case of the chain, that comparison is not made in its place, but in the detour that leads there. #}
{% macro chain10(cases, compared, exit, is_first) %}
{% for case in cases %}
{% set next = exit if loop.last else "try_" ~ cases[loop.index].name %}
try_{{ case.name }}:
{% if loop.first or case.hash != compared %}
        cmp  ecx, {{ case.hash }}       ; hash of {{ case.name }}
{% endif %}
{% if is_first and loop.first %}site:{% endif %}
        jne  differs_{{ case.name }}
        lea  rdx, ["type.{{ case.name }}"]
        cmp  rdx, rax
        jne  shared_{{ case.name }}
        {{ case.load }}
again_{{ case.name }}:
        jne  {{ next }}
{% if count > 3 %}
        lea  rdi, ["type.{{ sorted[0].name }}"]
{% endif %}
        jmp  done
{% endfor %}
{% for case in cases %}
{% set next = exit if loop.last else "try_" ~ cases[loop.index].name %}
shared_{{ case.name }}:
        mov  esi, 0                     ; the value of an assertion that failed
        jmp  again_{{ case.name }}
differs_{{ case.name }}:
{% if not loop.last and cases[loop.index].hash == compared %}
        cmp  ecx, {{ compared }}
{% endif %}
        lea  rdi, ["type.{{ case.name }}"]
        jmp  {{ next }}
{% endfor %}
{% endmacro %}

{# Where two halves meet, each way loads the addresses that the other would have loaded. #}
{% macro search10(cases, compared, exit, is_first) %}
{% if cases | length < 4 %}
{{ chain10(cases, compared, exit, is_first) }}
{% else %}
{% set half = (cases | length) // 2 %}
{% set name = cases[half].name %}
        cmp  ecx, {{ cases[half - 1].hash }}       ; the last hash of the lower half
{% if is_first %}site:{% endif %}
        ja   above_{{ name }}
{{ search10(cases[:half], cases[half - 1].hash, "below_" ~ name ~ "_no", false) }}
above_{{ name }}:
{{ search10(cases[half:], none, "above_" ~ name ~ "_no", false) }}
below_{{ name }}_no:
{% for case in cases[half:] %}
        lea  rsi, ["type.{{ case.name }}"]
{% endfor %}
        jmp  {{ exit }}
above_{{ name }}_no:
{% for case in cases[:half] %}
        lea  rsi, ["type.{{ case.name }}"]
{% endfor %}
        jmp  {{ exit }}
{% endif %}
{% endmacro %}

body:                                   ; rax = type, rbx = data
        test rax, rax                   ; a nil interface
        je   default
        mov  ecx, [rax + 16]            ; _type.hash
{% if table %}
{% if table.shift %}
        shr  ecx, {{ table.shift }}
{% endif %}
        and  ecx, {{ table.mask }}
        lea  rdx, ["main.typeSwitch.jump1"]
site:   jmp  [rdx + rcx*8]
{% for slot in table.slots if slot is not none %}
case_{{ cases[slot].name }}:
{{ act(cases[slot]) }}
{% endfor %}
miss:
{% elif go_minor <= 12 %}
{{ search10(sorted, none, "default", true) }}
{% else %}
{{ search(sorted, true) }}
miss:
{% for case in sorted[: 3 if count > 3 else 1] %}
        lea  rdi, ["type.{{ case.name }}"]
{% endfor %}
        jmp  default
{% endif %}
default:                                ; v.(uint32)
        lea  rdx, ["type.uint32"]
        cmp  rax, rdx
        jne  "main.panic"
        mov  eax, [rbx]
{% if go_minor > 12 %}
        lea  rdi, ["type.{{ sorted[0].name }}"]
{% endif %}
        jmp  done
done:

func "main.panic":                      ; the assertion holds in every row but that of a nil interface
{% if go_minor > 16 %}
        mov  rbx, rdx                   ; have is in rax, this is want
        lea  rcx, ["type.interface {}"]
        call "runtime.panicdottypeE"
        nop
{% else %}
        mov  [rsp], rax                 ; have
        mov  [rsp + 8], rdx             ; want
        lea  rax, ["type.interface {}"]
        mov  [rsp + 16], rax
        call "runtime.panicdottypeE"
        ud2
{% endif %}

{% for case in cases if case.name != "uint32" %}
data "type.{{ case.name }}":
        dq   0, 0
        dd   hash("{{ case.name }}"), 0
        dq   0, 0, 0
{% endfor %}

{% if table %}
data "main.typeSwitch.jump1":           ; slots without a case lead to the default
{% for slot in table.slots %}
        dq   {{ "miss" if slot is none else "case_" ~ cases[slot].name }}
{% endfor %}
{% endif %}
