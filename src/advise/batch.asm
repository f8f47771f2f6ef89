;! title    = "64 receivers at a time, put in order of type before they are called; the ordering is in the numbers"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = {}
;! result   = "rax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true

; A counting sort: a few bits of the hash tell the types apart and lead to the type's number, a first pass counts
; the receivers of each type, a second puts each behind those of its own, and a third calls them through their itabs. No
; branch of the sort hangs on a type. Nothing is taken off the numbers: they hold the sort and the loops of a batch, as
; those of the other ways hold the loop around a call.

{% set bits = jump_table(types | map(attribute="hash") | list, 6) %}
{% set size = 16 * batch %}
{% macro number(to) %}
        mov  {{ to }}d, [{{ to }} + 16] ; itab.hash
{% if bits.shift %}
        shr  {{ to }}d, {{ bits.shift }}
{% endif %}
        and  {{ to }}d, {{ bits.mask }}
        movzx {{ to }}d, byte [r8 + {{ to }}]
{% endmacro %}
body:                                   ; rax = the receivers, rbx = how many
        mov  rsi, rax
        lea  rdi, ["main.starts"]
        lea  r8, ["main.numbers"]
        lea  r11, ["main.ordered"]
        xorps xmm0, xmm0
{% for line in range((targets + 4) // 4) %}
        movups [rdi + {{ 16 * line }}], xmm0
{% endfor %}

        xor  ecx, ecx
count:  mov  r9, [rsi + rcx]            ; the itab
{{ number("r9") }}
        inc  dword [rdi + r9*4 + 4]
        add  ecx, 16
        cmp  ecx, {{ size }}
        jne  count

        xor  eax, eax
        xor  ecx, ecx
sum:    add  eax, [rdi + rcx*4 + 4]     ; where the type behind this one begins
        mov  [rdi + rcx*4 + 4], eax
        inc  ecx
        cmp  ecx, {{ targets }}
        jne  sum

        xor  ecx, ecx
put:    mov  r10, [rsi + rcx]
        mov  rdx, [rsi + rcx + 8]
        mov  r9, r10
{{ number("r9") }}
        mov  eax, [rdi + r9*4]
        inc  dword [rdi + r9*4]
        shl  eax, 4
        mov  [r11 + rax], r10
        mov  [r11 + rax + 8], rdx
        add  ecx, 16
        cmp  ecx, {{ size }}
        jne  put

        xor  r12d, r12d                 ; the methods here leave these alone
        xor  r13d, r13d
next:   mov  rcx, [r11 + r12]
        mov  rax, [r11 + r12 + 8]
        mov  rcx, [rcx + 24]            ; itab.fun[0]
site:   call rcx
        add  r13, rax
        add  r12d, 16
        cmp  r12d, {{ size }}
        jne  next
        mov  rax, r13

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.numbers":                    ; by those bits of the hash, the type's number
{% for slot in bits.slots %}
        db   {{ 0 if slot is none else slot }}
{% endfor %}
data "main.starts":
        resd {{ 4 * ((targets + 4) // 4) }}
data "main.ordered":
        resb {{ size }}
