;! title    = "switch over whole numbers: a search by halves, or a jump table"
;! heap     = "pointer"
;! types    = "main.T{t}"
;! object   = "dd id; dd dense = tag; dd sparse = 100 * tag; dd 0"
;! params   = { go = ["1.27", "1.15"], targets = { default = 8, min = 1, max = 1024 }, values = ["dense", "sparse"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: switches over numbers"

; One case for each of `targets` values of a uint32 that the object holds: 0, 1, 2, … or, with values=sparse,
; 0, 100, 200, … By Go 1.19 eight cases or more become a table, where they fill a quarter of it; else the compiler
; searches by halves, down to chains of up to three comparisons. Nothing has to be hashed, and no address
; compared: beside type_switch this is what the rest of a type switch costs.

{% set step = 1 if values == "dense" else 100 %}
{% set has_table = values == "dense" and targets >= 8 and go_minor >= 19 %}
{% macro search(cases, is_first) %}
{% if cases | length < 4 %}
{% for case in cases %}
{% if loop.last %}
        cmp  ecx, {{ case.index * step }}
{% if is_first and loop.first %}site:{% endif %}
        jne  other
        add  eax, {{ case.index + 1 }}
        jmp  done
{% else %}
        cmp  ecx, {{ case.index * step }}
{% if is_first and loop.first %}site:{% endif %}
        je   case{{ case.index }}
{% endif %}
{% endfor %}
{% for case in cases[:-1] %}
case{{ case.index }}:
        add  eax, {{ case.index + 1 }}
        jmp  done
{% endfor %}
{% else %}
{% set half = (cases | length) // 2 %}
        cmp  ecx, {{ cases[half - 1].index * step }}
{% if is_first %}site:{% endif %}
        ja   above{{ cases[half].index }}
{{ search(cases[:half], false) }}
above{{ cases[half].index }}:
{{ search(cases[half:], false) }}
{% endif %}
{% endmacro %}
body:                                   ; rax = the object
        mov  ecx, [rax + {{ 4 if values == "dense" else 8 }}]
        mov  eax, [rax]
{% if has_table %}
        cmp  rcx, {{ targets - 1 }}
        ja   other
        lea  rdx, ["main.intSwitch.jump1"]
site:   jmp  [rdx + rcx*8]
{% for type in types %}
case{{ type.index }}:
        add  eax, {{ type.index + 1 }}
        jmp  done
{% endfor %}
{% else %}
{{ search(types, true) }}
{% endif %}
other:  xor  eax, eax                   ; no value comes by that is no case
done:

{% if has_table %}
data "main.intSwitch.jump1":
{% for type in types %}
        dq   case{{ type.index }}
{% endfor %}
{% endif %}
