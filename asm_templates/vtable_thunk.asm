;! title    = "virtual call through the second base of a class, as C++ makes it: by a thunk"
;! heap     = "pointer"
;! types    = "main.T{t}"
;! object   = 'dq "main.vtable"; dq pad = 0; dq "main.second{t}"; dd id'
;! words    = "object + 16"
;! params   = { go = ["1.27"], targets = 1, thunk = ["jumps", "inlined"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages; g++ 12.2, `-O2`, and its C++ ABI, section 2.5.2"

; A class of two bases has two tables, and who has a pointer to the second base is 16 bytes inside the object. The
; slot there leads to a thunk, which moves `this` back and jumps to the method. Where the method is small the compiler
; writes it into the thunk (thunk=inlined), with the offset in its loads, and nothing is left of the second base.
; vtable_call is the call through the first base.

body:                                   ; rax = the second base
        mov  rdi, rax
        mov  rax, [rdi]                 ; its table
site:   call [rax]

{% for type in types %}
func "non-virtual thunk to T{{ type.index }}::id":
{% if thunk == "jumps" %}
        sub  rdi, 16
        jmp  "T{{ type.index }}::id"
{% else %}
        mov  eax, [rdi + 8]
        add  eax, {{ type.index + 1 }}
        ret
{% endif %}
func "T{{ type.index }}::id":
        mov  eax, [rdi + 24]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.vtable":                     ; of the first base, whose methods nobody calls here
        dq   0
{% for type in types %}
data "main.second{{ type.index }}":
        dq   "non-virtual thunk to T{{ type.index }}::id"
{% endfor %}
