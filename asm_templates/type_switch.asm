;! title    = "type switch: find the case by the type's hash, then compare the type"
;! heap     = "eface"
;! types    = "main.T{t}"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22", "1.19", "1.10"], strategy = ["linear", "go", "binary", "jump", "pointer"], cases = { default = 2, min = 2, max = 1024 }, hit = ["first", "last", "default", "order"], default_case = [false, true], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type switches"

; The dynamic type's 32-bit hash decides which case it can be, and then the type's address whether it
; is, because two types may share a hash. `hit` says which case all receivers are: the first or the
; last one in the order of hashes, none of them (`default`), or all in turn (`order`).
;
; `strategy` is the way to the case. `linear`: each hash is compared, in ascending order, as unsigned
; numbers, whatever the order of the source. `binary`: the hashes are halved until fewer than four
; are left, which are compared. `jump`: a few bits of the hash that differ between all cases number the
; slots of a table; the hash itself is not compared any more. `go` is what the release does: up to three cases
; linear; else a table since 1.22, from five cases on, if two bits more than number the cases are
; enough to tell them apart; else binary. `pointer`: no hash, each type's address is compared.
;
; Go 1.10 tests a second time whether the type was the right one, and goes to the next case after a
; collision by way of the end of the switch: the book's listing, whose switch has no default case. With one
; (`default_case=true`) it goes there from a hash that differs too, by way of an address that nothing uses.
;
; The calls are gone: each case does what the method of its type would do.

{% set sorted = types[:cases] | sort(attribute="hash") %}
{% set hashes = types[:cases] | map(attribute="hash") | list %}
{% set spare = 16 if strategy == "jump" else 2 if strategy == "go" and go_minor >= 22 and cases > 4 else none %}
{% set table = none if spare is none else jump_table(hashes, spare) %}

{# What a case does once the hash is known to be its own. #}
{% macro act(case, next) %}
{% if go_minor <= 12 and not table %}
;! part type-compare
        lea  rdx, ["type.{{ case.name }}"]
        cmp  rdx, rax
        jne  shared{{ case.index }}
;! end
        mov  edx, [rbx]
again{{ case.index }}:
;! part type-compare
        jne  {{ next }}
;! end
        lea  eax, [rdx + {{ case.index + 1 }}]
{% else %}
;! part type-compare
        lea  rcx, ["type.{{ case.name }}"]
        cmp  rax, rcx
        jne  other
;! end
        mov  eax, [rbx]
        add  eax, {{ case.index + 1 }}
{% endif %}
        jmp  done
{% endmacro %}

{# One case after the other. #}
{% macro chain(cases, is_first) %}
{% for case in cases %}
{% set next = "other" if loop.last else "try" ~ cases[loop.index].index %}
try{{ case.index }}:
;! part hash-compare
        cmp  ecx, {{ case.hash }}       ; hash of {{ case.name }}
;! end
{% if is_first and loop.first %}site:{% endif %}
;! part hash-compare
        jne  {{ "differs" ~ case.index if go_minor <= 12 and default_case else next }}
;! end
{{ act(case, next) }}
{% endfor %}
{% endmacro %}

{# The detours of Go 1.10, the last one first. #}
{% macro detours(cases) %}
{% for case in cases | reverse %}
shared{{ case.index }}:                 ; the hash of another type: the value of a failed assertion
        mov  edx, 0
        jmp  again{{ case.index }}
{% if default_case %}
differs{{ case.index }}:
        lea  rdx, ["type.{{ case.name }}"]
        jmp  {{ "other" if loop.first else "try" ~ cases[loop.revindex].index }}
{% endif %}
{% endfor %}
{% endmacro %}

{# Types without hashes. #}
{% macro pointers(cases) %}
{% for case in cases %}
try{{ case.index }}:
        lea  rcx, ["type.{{ case.name }}"]
        cmp  rax, rcx
{% if loop.first %}site:{% endif %}
        jne  {{ "other" if loop.last else "try" ~ cases[loop.index].index }}
        mov  eax, [rbx]
        add  eax, {{ case.index + 1 }}
        jmp  done
{% endfor %}
{% endmacro %}

{# By halves, down to chains of two and three. #}
{% macro search(cases, is_first) %}
{% if cases | length < 4 %}
{{ chain(cases, is_first) }}
{% if go_minor <= 12 %}
{{ detours(cases) }}
{% endif %}
{% else %}
{% set half = (cases | length) // 2 %}
        cmp  ecx, {{ cases[half - 1].hash }}       ; the last hash of the lower half
{% if is_first %}site:{% endif %}
        ja   above{{ cases[half].index }}
{{ search(cases[:half], false) }}
above{{ cases[half].index }}:
{{ search(cases[half:], false) }}
{% endif %}
{% endmacro %}

body:                                   ; rax = type, rbx = data
;! part nil-check
        test rax, rax                   ; a nil interface has no type to look at
        je   {{ "nothing" if receiver == "nil_interface" else "other" }}
;! end
{% if strategy == "pointer" %}
{{ pointers(sorted) }}
{% else %}
        mov  ecx, [rax + 16]            ; _type.hash
{% endif %}
{% if table %}
{% if table.shift %}
        shr  ecx, {{ table.shift }}
{% endif %}
        and  ecx, {{ table.mask }}
        lea  rdx, ["main.typeSwitch.jump1"]
site:   jmp  [rdx + rcx*8]
{% for slot in table.slots if slot is not none %}
case{{ slot }}:
{{ act(types[slot], "other") }}
{% endfor %}
{% elif strategy in ["go", "binary"] and cases > 3 %}
{{ search(sorted, true) }}
{% elif strategy != "pointer" %}
{{ chain(sorted, true) }}
{% endif %}
other:  mov  eax, [rbx]                 ; the type that is no case
        add  eax, {{ cases + 1 }}
{% if go_minor <= 12 and not table and strategy != "pointer" and (strategy == "linear" or cases < 4) %}
        jmp  done
{{ detours(sorted) }}
{% endif %}
done:

{% if receiver == "nil_interface" %}
func "main.nothing":
nothing:                                ; the way of the type that is no case, and no id to read
        mov  eax, {{ cases + 1 }}
        jmp  done
{% endif %}

{% if table %}
data "main.typeSwitch.jump1":           ; slots without a case lead to the type that is none
{% for slot in table.slots %}
        dq   {{ "other" if slot is none else "case" ~ slot }}
{% endfor %}
{% endif %}

{% set own = jump_table(hashes, 2) if go_minor >= 22 and cases > 4 else none %}
{% if strategy == "pointer" %}
;! note what-if: Go compares the hash before the type
{% elif strategy == "linear" and cases > 3 %}
;! note what-if: no Go compiler emits a chain of {{ cases }} cases; from 4 on it searches the hashes by halves,
;! note and since Go 1.22 it jumps through a table from 5 on
{% elif strategy == "binary" and own %}
;! note what-if: for these hashes Go {{ go }} jumps through a table of {{ own.slots | length }} slots
{% elif strategy == "jump" and not own %}
;! note what-if: for these hashes Go {{ go }} {{ "searches by halves" if cases > 3 else "compares case by case" }}
{% elif strategy == "go" and own %}
;! note Go {{ go }} jumps through a table of {{ own.slots | length }} slots here
{% elif strategy == "go" and cases > 3 %}
;! note Go {{ go }} searches by halves here
{% endif %}
