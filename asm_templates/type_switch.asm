;! title    = "type switch: compare the hash, then the type, case by case"
;! heap     = "eface"
;! types    = "main.T{t}"
;! params   = { go = ["1.27", "1.26", "1.25", "1.10"], cases = { default = 2, min = 2, max = 256 }, hit = ["first", "last", "default", "order"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! note     = "{% if cases > 3 %}what-if: no Go compiler emits a chain of {{ cases }} cases; from 4 on it searches the hashes by halves, and since Go 1.22 it jumps through a table from 5 on{% endif %}"

; The dynamic type's 32-bit hash is compared with the constant of each case; where it is equal, the
; type's address decides, because two types may share a hash. Go orders the cases by hash, as
; unsigned numbers, whatever their order in the source. `hit` says which case all receivers are:
; the first or the last one in that order, none of them (`default`), or all in turn (`order`).
;
; Go 1.10 goes from a hash that differs to the next case by way of a load that nothing uses, and
; tests a second time whether the type was the right one. Both are as its compiler emits them.
;
; The calls are gone: each case does what the method of its type would do.

body:                                   ; rax = type, rbx = data
        test rax, rax                   ; a nil interface has no type to look at
        je   other
        mov  ecx, [rax + 16]            ; _type.hash
{% for case in types[:cases] | sort(attribute="hash") %}
        cmp  ecx, {{ case.hash }}       ; hash of {{ case.name }}
{% if loop.first %}site:{% endif %}
{% if go_minor <= 12 %}
        jne  differs{{ loop.index }}
        lea  rdx, ["type.{{ case.name }}"]
        cmp  rdx, rax
        jne  shared{{ loop.index }}
        mov  edx, [rbx]
again{{ loop.index }}:
        jne  next{{ loop.index }}
        lea  eax, [rdx + {{ case.index + 1 }}]
{% else %}
        jne  next{{ loop.index }}
        lea  rcx, ["type.{{ case.name }}"]
        cmp  rax, rcx
        jne  other
        mov  eax, [rbx]
        add  eax, {{ case.index + 1 }}
{% endif %}
        jmp  done
next{{ loop.index }}:
{% endfor %}
other:  mov  eax, [rbx]                 ; the type that is no case
        add  eax, {{ cases + 1 }}
{% if go_minor <= 12 %}
        jmp  done
{% for case in types[:cases] | sort(attribute="hash") | reverse %}
shared{{ loop.revindex }}:              ; the hash of another type: the value of a failed assertion
        mov  edx, 0
        jmp  again{{ loop.revindex }}
differs{{ loop.revindex }}:
        lea  rdx, ["type.{{ case.name }}"]
        jmp  next{{ loop.revindex }}
{% endfor %}
{% endif %}
done:
