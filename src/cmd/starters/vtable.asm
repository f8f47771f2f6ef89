;! title    = "a virtual call: the reference is an object and its table, as in Rust"
;! heap     = "iface"                   ; the itab stands for the table: its methods begin at 24
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { targets = 1, order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
body:                                   ; rax = table, rbx = object
        mov  rdi, rbx
site:   call [rax + 24]

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rdi]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}
