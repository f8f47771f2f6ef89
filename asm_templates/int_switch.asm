;! title    = "switch over whole numbers: a search by halves, or a jump table"
;! heap     = "pointer"
;! types    = "main.T{t}"
;! object   = "dd id; dd dense = tag; dd sparse = 100 * tag; dd 0"
;! params   = { go = ["1.27", "1.19", "1.15"], targets = { default = 8, min = 1, max = 1024 }, values = ["dense", "sparse"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: switches over numbers"

; One case for each of `targets` values of a uint32 that the object holds: 0, 1, 2, … or, with values=sparse,
; 0, 100, 200, … By Go 1.19 eight cases or more become a table, where they fill a quarter of it; else the compiler
; searches by halves, down to chains of up to three comparisons, in which each case stands behind its own. Of dense
; values the halves leave one alone: where all the others of a chain are compared, the last needs no comparison. Go 1.27
; loads the object's id where it is wanted, Go 1.19 in front. Of both this is the compiler's own; 1.15 is taken to be
; like 1.19, but for the table.
; Nothing has to be hashed, and no address compared: beside type_switch this is what the rest of a type switch costs.

{% set is_new = go_minor >= 27 %}
{% set step = 1 if values == "dense" else 100 %}
{% set has_table = values == "dense" and targets >= 8 and go_minor >= 19 %}
{% macro found(index) %}
{% if is_new %}
        add  eax, {{ index + 1 }}
{% else %}
        lea  eax, [rsi + {{ index + 1 }}]
{% endif %}
        jmp  done
{% endmacro %}
{% macro search(cases, is_first, is_last) %}
{% if cases | length < 4 %}
{% for case in cases %}
{% if not (loop.last and values == "dense" and not is_last) %}
        {{ "test ecx, ecx" if case.index == 0 else "cmp  ecx, " ~ case.index * step }}
{% if is_first and loop.first %}site:{% endif %}
        jne  {{ "other" if loop.last else "case" ~ (case.index + 1) }}
{% endif %}
{{ found(case.index) }}
{% if not loop.last %}
case{{ case.index + 1 }}:
{% endif %}
{% endfor %}
{% else %}
{% set half = (cases | length) // 2 %}
        cmp  ecx, {{ cases[half - 1].index * step }}
{% if is_first %}site:{% endif %}
        ja   case{{ cases[half].index }}
{{ search(cases[:half], false, false) }}
case{{ cases[half].index }}:
{{ search(cases[half:], false, is_last) }}
{% endif %}
{% endmacro %}

body:                                   ; rax = the object
{% if not is_new %}
        mov  esi, [rax]
{% endif %}
        mov  ecx, [rax + {{ 4 if values == "dense" else 8 }}]
{% if is_new and not has_table %}
        mov  eax, [rax]
{% endif %}
{% if has_table %}
        cmp  rcx, {{ targets - 1 }}
        ja   other
{% if is_new %}
        mov  eax, [rax]
{% endif %}
        lea  rdx, ["main.intSwitch.jump1"]
site:   jmp  [rdx + rcx*8]
{% for type in types %}
case{{ type.index }}:
{{ found(type.index) }}
{% endfor %}
{% else %}
{{ search(types, true, true) }}
{% endif %}
other:  xor  eax, eax                   ; no value comes by that is no case
done:

{% if has_table %}
data "main.intSwitch.jump1":
{% for type in types %}
        dq   case{{ type.index }}
{% endfor %}
{% endif %}
